"""Links in the documents hold, and the commands in them are those of the program."""

import pathlib
import re
import shlex
import subprocess
import sys

import pytest

from emotion_pipeline.cli import make_parser
from emotion_pipeline.commands import kubeflow
from emotion_pipeline.commands.configure import read_settings
from emotion_pipeline.commands.run import run_settings
from emotion_pipeline.configs import PipelineConfig
from tests.documented import DOCUMENTS, NOT_RUN, REPOSITORY, RUN_BY, printed_commands

FOLDERS = "benchmarks|components|docs|emotion-faces|examples|pipeline|requirements|serving|tests"
MAKEFILE = (REPOSITORY / "Makefile").read_text()


def anchors(path: pathlib.Path) -> set[str]:
    """Returns what a link may name within a document, as common hosts of Markdown make it of headings."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings
    }


def commands() -> list[tuple[str, str]]:
    """Returns document and command of every line that starts `emotion`."""
    return [
        (path.name, line)
        for path in DOCUMENTS
        for line in printed_commands(path)
        if line.startswith("emotion ")
    ]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_hold(path):
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", text):
        if target.startswith(("https://", "http://", "mailto:")):
            continue
        file, _, anchor = target.partition("#")
        linked = (path.parent / file).resolve() if file else path
        assert linked.exists(), f"{path.name}: {target} leads nowhere"
        if anchor:
            assert anchor in anchors(linked), f"{path.name}: {target}: no such heading"


def test_every_command_is_run_by_a_test_or_says_why_not():
    printed = {line for path in DOCUMENTS for line in printed_commands(path)}
    listed = [line for lines in (*RUN_BY.values(), *NOT_RUN.values()) for line in lines]
    assert printed - set(listed) == set(), "put these into tests/documented.py"
    assert set(listed) - printed == set(), "no document has these any more: tests/documented.py"
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize("test", RUN_BY)
def test_what_runs_a_command_is_there(test):
    file, _, name = test.partition("::")
    source = (REPOSITORY / file).read_text(encoding="utf-8")
    assert re.search(rf"^def {name}\(", source, re.MULTILINE)


def test_there_are_commands_to_look_at():
    assert len(commands()) > 30
    assert {document for document, _ in commands()} >= {"README.md", "kubeflow.md", "scale.md"}


@pytest.fixture(scope="module")
def columns(tmp_path_factory):
    """A file for what the documents call columns.yaml and leave to the reader."""
    path = tmp_path_factory.mktemp("settings") / "columns.yaml"
    path.write_text("votes_columns: {classes: {angry: anger, happy: happiness, sad: sadness}}")
    return path


@pytest.mark.parametrize(("document", "line"), commands())
def test_commands_are_what_the_program_takes(document, line, columns, capsys):
    # What may be left away stands in brackets, and is given here.
    words = shlex.split(re.sub(r"[\[\]](?![^\s]*=\[)", " ", line) if "=[" not in line else line)[1:]
    try:
        options = make_parser().parse_args(words)
    except SystemExit as ended:
        if ended.code:
            pytest.fail(f"{document}: {line}\n{capsys.readouterr().err}")
        return  # --help, --version
    if options.execute is kubeflow.execute and hasattr(options, "image"):
        kubeflow._kubeflow_config(options)
    if not hasattr(
        options, "recipe"
    ):  # `validate`, or a package, whose parameters are checked against it
        return
    if options.config is not None:
        path = REPOSITORY / "docs/results" / options.config
        options.config = path if path.is_file() else columns
    run_settings(options, PipelineConfig(), read_settings)


def test_flags_that_are_told_in_passing_exist():
    known = set(
        re.findall(r"(?<![\w-])--[a-z][a-z-]+", (REPOSITORY / "docs/commands.md").read_text())
    )
    for path in DOCUMENTS:
        for code in re.findall(r"`(emotion [^`\n]+)`", path.read_text(encoding="utf-8")):
            for flag in re.findall(r"(?<![\w-])--[a-z][a-z-]+", code):
                assert flag in known, f"{path.name}: {code}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_files_benchmarks_and_targets_that_are_named_exist(path):
    text = path.read_text(encoding="utf-8")
    for call in re.findall(r"python -m (benchmarks\.[^`\n#|]+)", text):
        module, *words = call.split()
        file = REPOSITORY / (module.replace(".", "/") + ".py")
        assert file.is_file(), f"{path.name}: {module}"
        source = file.read_text(encoding="utf-8")
        for flag in (word for word in words if re.fullmatch(r"--[a-z][\w-]*", word)):
            assert f'"{flag}"' in source, f"{path.name}: {module} has no {flag}"
    for file in re.findall(rf"`((?:{FOLDERS})/[\w./-]+\.(?:in|lock|py|sh))\b", text):
        assert (REPOSITORY / file).is_file(), f"{path.name}: {file}"
    for target in re.findall(r"(?:`|^ {4})make ([a-z]+)", text, re.MULTILINE):
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), f"{path.name}: make {target}"


def test_the_reference_is_what_the_code_says():
    done = subprocess.run(
        [sys.executable, REPOSITORY / "docs" / "reference.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_argument_says_what_it_is():
    text = (REPOSITORY / "docs" / "commands.md").read_text()
    assert "|  |" not in text
    assert "SUPPRESS" not in text
    flags = (REPOSITORY / "serving" / "model_server" / "flags.py").read_text()
    for flag in re.findall(r"^    (\w+): \w+ = _flag\(", flags, re.MULTILINE):
        assert flag in ("help", "version") or f"| `--{flag}` |" in text
