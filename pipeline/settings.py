"""Settings in frozen dataclasses: read from files and `key=value` texts, checked, and written."""

import dataclasses
import difflib
import functools
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from emotion_pipeline.components.errors import UserError

ConfigT = typing.TypeVar("ConfigT")

_MAX_FILE_CHARS = 1 << 20
"""More is no file of settings: all of them with their defaults are some 2,000."""

_MAX_SHOWN_CHARS = 80


class _SpelledInt(int):
    """A whole number that knows how it was written: a class may be called 01."""

    text: str


@functools.cache
def _loader() -> Any:
    """Returns YAML's safe loader, made to keep how whole numbers were written and to refuse repeated keys."""
    import yaml

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            for key in keys:
                if keys.count(key) > 1:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"{key} is there more than once", node.start_mark
                    )
            return super().construct_mapping(node, deep)

    def construct_int(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> _SpelledInt:
        number = _SpelledInt(loader.construct_yaml_int(node))
        number.text = node.value
        return number

    Loader.add_constructor("tag:yaml.org,2002:int", construct_int)
    return Loader


def with_overrides(config: ConfigT, *overrides: dict[str, Any]) -> ConfigT:
    """Returns the config with nested settings replaced, and checked when all of them are.

    Args:
      config: A frozen dataclass, which may hold others.
      overrides: Nested mappings as a config file has them, `{"train": {"epochs": 3}}`; the later wins.

    Raises:
      UserError: A key is unknown, or a value has the wrong type or range.

    Example:
      >>> from emotion_pipeline.configs import PipelineConfig
      >>> config = with_overrides(PipelineConfig(), {"train": {"epochs": 3}})
      >>> config.train.epochs, config.train.batch_size
      (3, 128)
      >>> with_overrides(config, {"train": {"epochs": 0}})
      Traceback (most recent call last):
        ...
      emotion_pipeline.components.errors.UserError: train.epochs: must be from 1 to 100000, got 0
    """
    return _replace(config, overrides, prefix="")


def load_file(path: str) -> dict[str, Any]:
    """Reads a YAML file of settings.

    Raises:
      UserError: The file cannot be read, or is no mapping.
    """
    import yaml

    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(_MAX_FILE_CHARS + 1)
        if len(text) > _MAX_FILE_CHARS:
            raise UserError(
                f"--config {path}: has more than {_MAX_FILE_CHARS:,} characters, which is no file of settings"
            )
        settings = yaml.load(text, _loader())
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        told = error.strerror if isinstance(error, OSError) else _yaml_error(error)
        raise UserError(f"--config {path}: cannot be read: {told}") from error
    if settings is None:
        raise UserError(f"--config {path}: is empty, expected `key: value` lines")
    if not isinstance(settings, dict):
        raise UserError(
            f"--config {path}: holds {type(settings).__name__}, expected `key: value` lines"
        )
    return settings


def parse_assignment(text: str) -> dict[str, Any]:
    """Turns `thresholds.accuracy=0.4` into `{"thresholds": {"accuracy": 0.4}}`; values are YAML.

    Raises:
      UserError: The text has no key or no `=`, or the value is not YAML.

    Example:
      >>> parse_assignment("thresholds.accuracy=0.5")
      {'thresholds': {'accuracy': 0.5}}
    """
    import yaml

    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UserError(f"--set {text}: expected key=value, such as train.epochs=3")
    try:
        nested: Any = yaml.load(value, _loader())
    except (yaml.YAMLError, RecursionError) as error:
        shown = value if len(value) <= _MAX_SHOWN_CHARS else f"{value[:_MAX_SHOWN_CHARS]}..."
        raise UserError(
            f"--set {key}={shown}: {shown!r} is not a value: {_yaml_error(error)}"
        ) from error
    for part in reversed(key.strip().split(".")):
        nested = {part: nested}
    assigned: dict[str, Any] = nested
    return assigned


def _yaml_error(error: Exception) -> str:
    """Returns in a line what YAML says of a text."""
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    return " ".join(str(error).split())


def to_dict(config: Any) -> dict[str, Any]:
    """Returns a config as plain nested dicts and lists, for JSON and for the report."""
    plain: dict[str, Any] = _plain(dataclasses.asdict(config))
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def _replace(config: ConfigT, overrides: Sequence[dict[str, Any]], prefix: str) -> ConfigT:
    hints = typing.get_type_hints(type(config))
    changes: dict[str, Any] = {}
    groups: dict[str, list[dict[str, Any]]] = {}
    for key, value in (item for settings in overrides for item in settings.items()):
        name = f"{prefix}{key}"
        if key not in hints:
            known = ", ".join(prefix + field for field in hints)
            raise UserError(
                f"{name}: there is no such setting; {_meant(config, str(key), prefix)}known are {known}"
            )
        current = changes.get(key, getattr(config, key))
        if dataclasses.is_dataclass(current):
            if not isinstance(value, dict):
                raise UserError(f"{name}: is a group of settings, got {value!r}")
            groups.setdefault(key, []).append(value)
        elif isinstance(current, Mapping):
            changes[key] = {**current, **_convert(name, value, hints[key])}
        else:
            changes[key] = _convert(name, value, hints[key])
    for key, given in groups.items():
        changes[key] = _replace(getattr(config, key), given, f"{prefix}{key}.")
    return dataclasses.replace(config, **changes)  # type: ignore[type-var]


def _meant(config: Any, key: str, prefix: str) -> str:
    """Returns `did you mean X? ` for a misspelt name, or how a file has a dotted one; empty where none is like it."""
    outer, _, rest = key.partition(".")
    if rest and dataclasses.is_dataclass(getattr(config, outer, None)):
        return f"a dot is a level of nesting in a file, {outer}: {{{rest}: ...}}; "
    names = {field.name: prefix + field.name for field in dataclasses.fields(config)}
    for field in dataclasses.fields(config):
        group = getattr(config, field.name)
        if dataclasses.is_dataclass(group):
            for inner in dataclasses.fields(group):
                names.setdefault(inner.name, f"{prefix}{field.name}.{inner.name}")
    close = difflib.get_close_matches(key.lower().replace("-", "_"), names, n=1)
    return f"did you mean {names[close[0]]}? " if close else ""


def _convert(name: str, value: Any, hint: Any, quoted: str = '"..."') -> Any:
    """Returns the value as the type of the setting; ints pass for floats, lists for tuples.

    In a mapping whose values are lists, one text passes for a list of it alone. `quoted` shows how a text
    is written there so that YAML leaves it a text.
    """
    if hint is str and isinstance(value, _SpelledInt):
        return value.text
    if isinstance(value, _SpelledInt):
        value = int(value)
    if hint is str and not isinstance(value, str | list | dict):
        raise UserError(
            f"{name}: expected text, got {value!r}, which YAML reads so without quotes (numbers, yes, "
            f"no, on, off, true, false, null and dates); put quotes around it: --set '{name}={quoted}'"
        )
    origin = typing.get_origin(hint)
    if origin is Mapping:
        item_hint = typing.get_args(hint)[1]
        if isinstance(value, dict):
            takes_lists = typing.get_origin(item_hint) is tuple
            return {
                _convert(name, key, str, '{"...": ...}'): _convert(
                    f"{name}.{key}",
                    [item] if takes_lists and isinstance(item, str) else item,
                    item_hint,
                )
                for key, item in value.items()
            }
    elif origin is tuple:
        arguments = typing.get_args(hint)
        if isinstance(value, list | tuple):
            if arguments[-1] is Ellipsis:
                return tuple(_convert(name, item, arguments[0], '["...", ...]') for item in value)
            if len(value) == len(arguments):
                return tuple(
                    _convert(name, item, one) for item, one in zip(value, arguments, strict=True)
                )
    elif hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    elif hint is float and isinstance(value, str):
        # YAML takes 1e-3 for a string.
        try:
            return float(value)
        except ValueError:
            pass
    elif type(value) is hint:
        return value
    raise UserError(f"{name}: expected {_told(hint)}, got {value!r}")


def _told(hint: Any) -> str:
    """Returns what a person calls a type of YAML's."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Mapping:
        return "a mapping"
    if origin is tuple:
        return "a list" if arguments[-1] is Ellipsis else f"a list of {len(arguments)}"
    return _WORDS[hint]


_WORDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def check(holds: bool, name: str, value: Any, expected: str) -> None:
    """Raises UserError, which names the setting, its value and what it must be, unless it holds."""
    if not holds:
        raise UserError(f"{name}: must be {expected}, got {value!r}")


def check_fraction(name: str, value: float) -> None:
    """Raises UserError unless the value lies in [0, 1)."""
    check(0 <= value < 1, name, value, "in [0, 1)")


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raises UserError unless the value is one of the choices."""
    check(value in choices, name, value, "one of " + ", ".join(choices))
