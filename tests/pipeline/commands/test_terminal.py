import os
import pathlib
import resource
import signal
import stat
import subprocess
import sys
import time
import warnings

import pytest
from PIL import Image

import emotion_faces.cli
from emotion_faces.import_path import python_command
from emotion_pipeline.cli import main
from emotion_pipeline.commands import sample_data
from emotion_pipeline.commands.terminal import going_on, quiet
from emotion_pipeline.components.progress import report

EMOTION = pathlib.Path(sys.executable).with_name("emotion")


def emotion(*arguments, **variables):
    return subprocess.run(
        [EMOTION, *map(str, arguments)],
        capture_output=True,
        timeout=300,
        check=False,
        env={**os.environ, **variables},
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--data", "sample", "--root", "{file}"],
        ["run", "--data", "sample", "--root", "{file}/below"],
        ["validate", "sample", "--root", "{file}/below/further"],
        pytest.param(
            ["schema", "infer", "sample", "--root", "{file}"], marks=pytest.mark.slow
        ),  # imports TFX
        ["sample-data", "{file}/below"],
        ["sample-data", "{file}"],
    ],
)
def test_a_folder_that_cannot_be_made_is_named_in_one_line(arguments, tmp_path, capfd):
    file = tmp_path / "file"
    file.write_text("mine")
    assert main([one.format(file=file) for one in arguments]) == 1
    printed = capfd.readouterr()
    assert printed.err.startswith(f"emotion: {file}")
    assert printed.err.count("\n") == 1
    assert printed.out == ""
    assert file.read_text() == "mine"


@pytest.mark.parametrize(
    "arguments",
    [
        ["validate", "{link}"],
        ["run", "--data", "{link}"],
        ["run", "--data", "sample", "--root", "{link}"],
        ["report", "{link}"],
    ],
)
def test_a_link_to_itself_is_named_in_one_line(arguments, tmp_path, capfd):
    link = tmp_path / "link"
    link.symlink_to(link)
    assert main([one.format(link=link) for one in arguments]) == 1
    printed = capfd.readouterr().err
    assert printed.startswith(f"emotion: {link}: ")
    assert "leads back to itself" in printed
    assert printed.count("\n") == 1


def test_a_root_that_may_not_be_written_is_named(tmp_path):
    tmp_path.chmod(0o755)
    if os.geteuid() == 0:
        # Permissions do not count for root; /proc takes new folders from nobody.
        root = pathlib.Path("/proc/emotion")
    else:
        tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
        root = tmp_path / "runs"
    done = emotion("run", "--data", "sample", "--root", root)
    assert done.returncode == 1
    assert done.stderr.decode().startswith(f"emotion: {root}")
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "--data", "", "--root", "r"], "data: must be a source (--data), and not empty"),
        (["run", "--data", "sample", "--root", ""], "root: must be a folder (--root)"),
        (["run", "--set", "model_name=../../x"], "model_name: must be letters"),
        (["run", "--seed", "-5"], "seed: must be from 0 to 4294967295 (2^32 - 1), got -5"),
        (["run", "--seed", str(2**32)], "seed: must be from 0 to"),
        (["run", "--config", ""], "--config : cannot be read"),
        (["validate", ""], "data: must be a source"),
    ],
)
def test_a_wrong_setting_is_refused_at_once(arguments, told, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert told in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        *(
            ["annotate", "{picture}", *wrong]
            for wrong in (
                ["--every", "0"],
                ["--region", "1,2"],
                ["--unsure-below", "2"],
                ["--max-secs", "0"],
                ["--min-face-px", "0"],
                ["--csv", "a.xlsx"],
                ["--out", "."],
            )
        ),
        ["explain", "{picture}", "--min-face-px", "0"],
        ["explain", "{picture}", "--emotion", "foo"],
        ["web", "--unsure-below", "2"],
        ["predict", "{picture}", "--model", "nosuch"],
        ["predict", "{picture}", "--model", "deep", "--server", "127.0.0.1:1"],
        ["predict", "{picture}", "--model-dir", ".", "--server", "127.0.0.1:1"],
        ["predict", "{picture}", "--tls-ca", "a.pem"],
        ["serve", "--model", "deep", "--model-dir", "."],
        ["serve", "--model-dir", "{picture}", "--port", "99999"],
        ["serve", "--model-dir", "{picture}", "--port", "1234", "--rest-port", "1234"],
        ["web", "--port", "99999"],
        ["sample-data", "zz", "--seed", "-1"],
        ["sample-data", "zz", "--images", "3"],
    ],
)
def test_a_wrong_argument_ends_with_the_status_of_one(arguments, tmp_path, monkeypatch, capfd):
    (tmp_path / "in").mkdir()
    picture = tmp_path / "in" / "a.png"
    Image.new("L", (64, 64)).save(picture)
    monkeypatch.chdir(tmp_path)
    words = [one.format(picture=tmp_path / "in") for one in arguments]
    assert main(words) == 2
    assert capfd.readouterr().err.splitlines()[-1].startswith("emotion: ")
    assert list(tmp_path.iterdir()) == [tmp_path / "in"]
    assert list((tmp_path / "in").iterdir()) == [picture]
    if arguments[0] == "annotate":
        assert emotion_faces.cli.main(words) == 2


def test_warnings_as_errors_end_no_command(monkeypatch, capfd):
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(SystemExit):
            main(["--version"])
        main(["report", "nowhere"])
        warnings.warn("a library's own", DeprecationWarning, stacklevel=1)
    assert "PYTHONWARNINGS" not in os.environ  # processes that it starts would raise it too
    assert "a library's own" not in capfd.readouterr().err


def test_a_python_without_docstrings_is_refused_by_name(tmp_path):
    done = emotion("validate", tmp_path, "--root", tmp_path.parent / "r", PYTHONOPTIMIZE="2")
    assert done.returncode == 2
    assert done.stderr.startswith(
        b"emotion: PYTHONOPTIMIZE=2, or python -OO, takes away docstrings"
    )
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            ["cluster", "up", "--workers", "0"],
            "--workers 0: must be at least 1",
            marks=pytest.mark.slow,  # imports Beam
        ),
        (
            ["kubeflow", "submit", "no.yaml", "--host", "http://h"],
            "no.yaml: cannot be read: No such",
        ),
    ],
)
def test_what_cannot_be_an_argument_ends_with_status_2(
    arguments, message, tmp_path, monkeypatch, capfd
):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert f"emotion: {message}" in capfd.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["sample-data", ""],
        ["predict", ""],
        ["run", "--summary", ""],
        ["validate", "x", "--json", ""],
        ["serve", "--model-dir", ""],
        ["schema", "diff", "", "b"],
    ],
)
def test_an_empty_path_is_not_the_current_folder(arguments, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "is empty; give a path" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "variables",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "latin-1:strict"},
    ],
)
def test_what_a_terminal_cannot_spell_is_escaped(variables, tmp_path):
    done = emotion("sample-data", tmp_path / "лица", "--images", 14, **variables)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(b": drawn\n")
    assert (tmp_path / "лица" / "images" / "train").is_dir()


def test_a_warning_that_something_will_change_is_for_verbose_alone(monkeypatch):
    def warn(options):
        warnings.warn("you are using Python 3.10", FutureWarning, stacklevel=1)
        return 0

    monkeypatch.setattr(sample_data, "execute", warn)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert main(["sample-data", "x"]) == 0
        assert caught == []
        warnings.simplefilter("always")
        assert main(["sample-data", "x", "--verbose"]) == 0
        assert [str(one.message) for one in caught] == ["you are using Python 3.10"]


def test_a_full_disk_is_told_in_a_line(tmp_path):
    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    done = subprocess.run(
        [EMOTION, "sample-data", tmp_path / "faces"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        preexec_fn=small_files,
        # What measures coverage would write to the same full disk.
        env={key: value for key, value in os.environ.items() if not key.startswith("COVERAGE")},
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"emotion: {tmp_path / 'faces' / 'images'}")
    assert "the disk is full or a limit of size is reached. Make room" in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow  # imports TFX
def test_nothing_that_a_terminal_acts_on_reaches_it(tmp_path, capfd):
    with quiet(tmp_path / "run.log", verbose=False) as terminal:
        report("sa\x1b[2Jd: 3 files\nand\tmore")
        print("an\x07gry", "ag\u202eain", file=terminal)
    assert capfd.readouterr().out == (
        "sa\\x1b[2Jd: 3 files\nand     more\nan\\x07gry ag\\u202eain\n"
    )
    assert main(["run", "--data", str(tmp_path / "no\x1b[31mne"), "--root", str(tmp_path)]) == 2
    told = capfd.readouterr().err
    assert "no\\x1b[31mne: no such file or folder" in told
    assert "\x1b" not in told


@pytest.mark.parametrize("flags", [[], ["-u"]])
@pytest.mark.parametrize("module", ["emotion_pipeline.cli", "emotion_faces.cli"])
@pytest.mark.parametrize("words", [["--help"], ["--version"], ["web", "--help"]])
def test_what_help_says_to_nobody_ends_without_a_traceback(words, module, flags):
    python, *rest = python_command(module, *words)
    command = [python, *flags, *rest]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith(b"emotion: ")
    assert done.stderr.count(b"\n") == 1
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False, timeout=60)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.slow  # imports TFX
def test_an_interrupted_run_says_that_it_goes_on(tmp_path, capfd):
    with pytest.raises(SystemExit) as ended, going_on(), quiet(tmp_path / "log", False):
        raise KeyboardInterrupt
    assert ended.value.code == 130
    assert capfd.readouterr().err == (
        "\nemotion: interrupted. Give the same command again: it goes on where it stopped\n"
    )


def test_sigterm_ends_a_command_as_ctrl_c_does(monkeypatch, capfd):
    before = signal.getsignal(signal.SIGTERM)
    cleaned = []

    def execute(options):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
        finally:
            cleaned.append(options)

    monkeypatch.setattr(sample_data, "execute", execute)
    assert main(["sample-data", "faces"]) == 130
    assert len(cleaned) == 1
    assert capfd.readouterr().err == "emotion: interrupted\n"
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.slow  # imports TFX
@pytest.mark.parametrize("verbose", [False, True])
def test_keras_is_the_one_that_the_layers_need(tmp_path, monkeypatch, verbose):
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "0")
    with quiet(tmp_path / "log", verbose):
        assert os.environ["TF_USE_LEGACY_KERAS"] == "1"


@pytest.mark.slow
def test_whoever_interrupts_a_run_is_told_that_it_goes_on(tmp_path):
    command = [EMOTION, "validate", "sample", "--root", tmp_path / "runs"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # What runs in the background of a shell inherits that SIGINT is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stdout is not None
        assert b"ImageIngest" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert errors.decode().endswith(
        "emotion: interrupted. Give the same command again: it goes on where it stopped\n"
    )
    assert b"Traceback" not in errors


def test_no_name_in_a_schema_moves_the_cursor(tmp_path, capsys):
    schema = pathlib.Path("pipeline/schema/schema.pbtxt").read_text()
    (tmp_path / "a").write_text(schema)
    (tmp_path / "b").write_text(schema.replace('"happy"', r'"ha\033[2Jppy"'))
    assert main(["schema", "diff", str(tmp_path / "a"), str(tmp_path / "b")]) == 4
    told = capsys.readouterr().out
    assert "\x1b" not in told
    assert r"ha\x1b[2Jppy" in told
