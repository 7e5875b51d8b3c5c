import os
import pathlib
import resource
import signal
import stat
import subprocess
import sys

import pytest

from emotion_pipeline.cli import main

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
        ["schema", "infer", "sample", "--root", "{file}"],
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
        ["sample-data", ""],
        ["predict", ""],
        ["run", "--summary", ""],
        ["validate", "x", "--json", ""],
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
    )
    assert done.returncode == 1
    assert "the disk is full or a limit of size is reached. Make room" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_whoever_interrupts_a_run_is_told_that_it_goes_on(tmp_path):
    command = [EMOTION, "validate", "sample", "--root", tmp_path / "runs"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert b"ImageIngest" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert errors.decode().endswith(
        "emotion: interrupted. Give the same command again: it goes on where it stopped\n"
    )
    assert b"Traceback" not in errors
