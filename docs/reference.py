"""Writes the reference pages from the code: `.venv/bin/python docs/reference.py`; `--check` only compares.

docs/settings.md has every setting with its default and what it may be; docs/commands.md every command with its
arguments and exit states.
"""

import argparse
import dataclasses
import pathlib
import re
import sys
import typing
from typing import Any

from emotion_faces.model_server import flags
from emotion_pipeline.cli import make_parser
from emotion_pipeline.components.errors import UserError
from emotion_pipeline.configs import PipelineConfig
from emotion_pipeline.recipes import RECIPES
from emotion_pipeline.settings import with_overrides

DOCS = pathlib.Path(__file__).resolve().parent
HEADER = "<!-- Written by docs/reference.py from the code: change the code, then run it. -->\n"

SETTINGS = f"""# Settings

Each is given as `--set KEY=VALUE`, or in a YAML file with `--config`, where a dot is a level of nesting; the flags in
[commands.md](commands.md) are other ways to say some of them. Later wins: defaults, the recipe, `--config`, `--set`,
flags. A wrong name, type or value ends the command with status 2 and says what it must be.

Where several defaults are given, they are those of the recipes {" / ".join(f"`{name}`" for name in RECIPES)}.
"""
COMMANDS = """# Commands

`emotion COMMAND --help` says the same. `emotion --version` says the version.

| status | what it says |
|---|---|
| 0 | done: pushed, clean, no difference, answered |
| 1 | failed; the message says at what |
| 2 | a wrong argument or setting; nothing was begun |
| 3 | `run`: the model was not blessed, so nothing was pushed |
| 4 | `run`, `validate`: stopped at the data, by anomalies or a rule of yours; `schema diff`: the schemas differ |
| 5 | `kubeflow submit --wait`, `kubeflow wait`: the server no longer tells of the run, which may well go on |
| 130 | interrupted, by Ctrl-C or SIGTERM |
"""

SERVER_FLAGS = """
## Flags of the model server

`python -m emotion_faces.model_server --FLAG=VALUE` takes them, and `emotion serve` those that it has no other name for.
They are TensorFlow Serving's but for those that say "ours".

| flag | default | what it is |
|---|---|---|"""
_BY_CPUS = ("grpc_max_threads", "rest_api_num_threads")

# Values of which each check refuses at least one, so that its message tells the range.
_PROBES: dict[type, tuple[Any, ...]] = {
    int: (-1, 0, 10**9),
    float: (-1.0, float("nan"), float("inf"), 2.0),
    str: ("no such choice",),
}


def settings_page() -> str:
    """Returns docs/settings.md."""
    groups: dict[str, list[str]] = {}
    for group, name, about in _settings(PipelineConfig()):
        key = f"{group}.{name}" if group else name
        values = [_default(PipelineConfig(), key)]
        values += [_default(with_overrides(PipelineConfig(), RECIPES[r]), key) for r in RECIPES]
        values = values[1:]
        shown = values[:1] if len(set(values)) == 1 else values
        cells = (f"`{key}`", " / ".join(f"`{value}`" for value in shown), _range(key), about)
        row = "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
        groups.setdefault(group, []).append(row)
    text = [SETTINGS]
    for group, rows in groups.items():
        title = {"": "The run"}.get(group, f"`{group}`")
        text.append(
            f"\n## {title}\n\n| setting | default | may be | what it is |\n|---|---|---|---|"
        )
        text += rows
    return HEADER + "\n".join(text) + "\n"


def commands_page() -> str:
    """Returns docs/commands.md."""
    text = [COMMANDS]
    for name, parser in _parsers(make_parser()):
        text.append(f"\n## emotion {name}\n\n{parser.description}\n")
        rows = []
        for action in parser._actions:
            if isinstance(action, argparse._HelpAction | argparse._SubParsersAction):
                continue
            if (
                action.help == argparse.SUPPRESS
            ):  # those of the server, which have a table of their own
                continue
            about = (action.help or "") % {"default": action.default}
            if action.choices:
                about = f"{about}{': ' if about else ''}{', '.join(map(str, action.choices))}"
            shown = ", ".join(action.option_strings) or str(action.metavar or action.dest)
            if action.option_strings and action.nargs != 0:
                shown += f" {action.metavar or action.dest.upper()}"
            rows.append(f"| `{shown}` | {about} |".replace("|`", "| `"))
        if rows:
            text += ["| argument | what it is |", "|---|---|", *rows]
    return HEADER + "\n".join([*text, _server_flags()]) + "\n"


def _server_flags() -> str:
    """Returns the section on the flags that the model server has beside `emotion serve`'s own."""
    rows = []
    for field in dataclasses.fields(flags.Options):
        if field.name in ("help", "version"):
            continue
        default = str(field.default).lower() if isinstance(field.default, bool) else field.default
        shown = "64, or 4 x CPUs" if field.name in _BY_CPUS else default if default != "" else "''"
        rows.append(f"| `--{field.name}` | `{shown}` | {field.metadata['help']} |")
    lists = {
        "Taken without effect": flags.WITHOUT_EFFECT,
        "Refused, since another server than the one that is meant would start": flags.REFUSED,
    }
    told = [
        f"{title}: {', '.join(f'`--{name}`' for name in sorted(names))}."
        for title, names in lists.items()
    ]
    return "\n".join([SERVER_FLAGS, *rows, "", *told])


def _settings(config: Any, group: str = "") -> typing.Iterator[tuple[str, str, str]]:
    """Yields group, name and description of each setting, the groups after their parent's own."""
    about = _attributes(type(config))
    nested = []
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            nested.append((value, f"{group}.{field.name}" if group else field.name))
        else:
            if field.name not in about:
                raise SystemExit(
                    f"{type(config).__name__}: `Attributes:` has no line for {field.name}"
                )
            yield group, field.name, about[field.name]
    for value, name in nested:
        yield from _settings(value, name)


def _attributes(kind: type) -> dict[str, str]:
    """Returns name -> text of the `Attributes:` of a docstring."""
    section = (kind.__doc__ or "").partition("Attributes:\n")[2]
    entries = re.findall(r"^ {6}(\w+): (.*(?:\n {8}.*)*)", section, re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in entries}


def _default(config: PipelineConfig, key: str) -> str:
    value: Any = config
    for part in key.split("."):
        value = getattr(value, part)
    if isinstance(value, tuple):
        return str([list(item) if isinstance(item, tuple) else item for item in value]).replace(
            "'", ""
        )
    return str(value).lower() if isinstance(value, bool) else str(value) or "''"


def _range(key: str) -> str:
    """Returns what a setting must be, as the check itself says when it refuses; else its type."""
    value: Any = PipelineConfig()
    for part in key.split("."):
        value = getattr(value, part)
    for probe in _PROBES.get(type(value), ([],)):
        nested: Any = probe
        for part in reversed(key.split(".")):
            nested = {part: nested}
        try:
            with_overrides(PipelineConfig(), nested)
        except UserError as error:
            told = re.search(r"(?:must be|use|expected) (.+?)(?:, got .*|\.)?$", str(error))
            range_ = told[1] if told else str(error).partition(": ")[2]
            return "true or false" if range_ == "bool" else range_
    return {str: "text", int: "a whole number", float: "a number"}.get(type(value), "a list")


def _parsers(parser: argparse.ArgumentParser, name: str = ""):
    """Yields the name and parser of each command that does something, in the order of `--help`."""
    subcommands = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    if not subcommands:
        yield name, parser
    for action in subcommands:
        for child, one in action.choices.items():
            yield from _parsers(one, f"{name} {child}".strip())


def main() -> int:
    """Writes the pages, or with `--check` returns 1 where one is not what the code says."""
    check = sys.argv[1:] == ["--check"]
    stale = []
    for name, text in (("settings.md", settings_page()), ("commands.md", commands_page())):
        path = DOCS / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if not check:
                path.write_text(text, encoding="utf-8")
    if check and stale:
        print(f"not what the code says: {', '.join(stale)}; run .venv/bin/python docs/reference.py")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
