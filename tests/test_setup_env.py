"""Which stack set-up takes, on machines that are made up of small scripts."""

import os
import pathlib
import shutil
import subprocess

import pytest

REPOSITORY = pathlib.Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(
    os.uname().machine != "x86_64", reason="TFX is published for x86-64 only"
)

TOOLS = ("sh", "cat", "chmod", "cksum", "dirname", "head", "mkdir", "rm", "sed", "sort", "uname")

# uv that installs nothing: it notes what it was asked, and makes a Python that can do everything.
UV = """#!/bin/sh
echo "$@" >>"$ASKED"
case "$1 $2" in
"python install") exit ${INSTALLS:-1} ;;
"python find") command -v fetched ;;
"venv "*) mkdir -p .venv/bin && printf '#!/bin/sh\\n' >.venv/bin/python && chmod +x .venv/bin/python ;;
esac
"""


@pytest.fixture
def machine(tmp_path):
    """Returns a function that runs set-up with a glibc and Pythons, name on PATH to version."""
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    project = tmp_path / "project"
    shutil.copytree(REPOSITORY / "requirements", project / "requirements")
    shutil.copy(REPOSITORY / "setup.py", project)
    for tool in TOOLS:
        (bin_dir / tool).symlink_to(shutil.which(tool))

    def script(name, text):
        (bin_dir / name).write_text(text)
        (bin_dir / name).chmod(0o755)

    def run(glibc, pythons, **environ):
        script("getconf", f"#!/bin/sh\necho 'glibc {glibc}'\n")
        script("uv", UV)
        for name, version in pythons.items():
            script(name, f"#!/bin/sh\necho {version}\n" if version else "#!/bin/sh\nexit 127\n")
        done = subprocess.run(
            ["sh", str(project / "requirements" / "setup_env.sh")],
            env={
                "PATH": str(bin_dir),
                "HOME": str(tmp_path),
                "PYENV_ROOT": str(tmp_path / "pyenv"),
                "ASKED": str(tmp_path / "asked"),
                **environ,
            },
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )
        asked = tmp_path / "asked"
        return done, asked.read_text() if asked.exists() else ""

    return run


@pytest.mark.parametrize(
    ("glibc", "pythons", "line", "lock"),
    [
        ("2.41", {"python3": "3.13"}, "TFX 1.21, for glibc 2.41 and Python 3.13", "py311-py313"),
        ("2.39", {"python3.11": "3.11"}, "TFX 1.21, for glibc 2.39 and Python 3.11", "py311-py313"),
        # The system's own first, then 3.12 before the others.
        (
            "2.41",
            {"python3": "3.11", "python3.12": "3.12"},
            "TFX 1.21, for glibc 2.41 and Python 3.11",
            "py311-py313",
        ),
        (
            "2.41",
            {"python3.13": "3.13", "python3.12": "3.12"},
            "TFX 1.21, for glibc 2.41 and Python 3.12",
            "py311-py313",
        ),
        # A Python that is here goes before one to be fetched; too new a one is none.
        (
            "2.41",
            {"python3": "3.14", "python3.10": "3.10"},
            "TFX 1.16, for glibc 2.41 and Python 3.10",
            "py310",
        ),
        # A shim that bears the name and does not run is passed over.
        (
            "2.36",
            {"python3": "3.11", "python3.10": "", "python": "3.10"},
            "TFX 1.16, for glibc 2.36 and Python 3.10",
            "py310",
        ),
    ],
)
def test_takes_the_stack_that_fits(machine, glibc, pythons, line, lock):
    done, asked = machine(glibc, pythons)
    assert done.returncode == 0, done.stderr
    assert line in done.stdout
    assert f"--require-hashes --python .venv/bin/python requirements/{lock}.lock" in asked


@pytest.mark.parametrize(("glibc", "fetched"), [("2.36", "3.10"), ("2.41", "3.12")])
def test_has_a_python_installed_where_none_fits(machine, glibc, fetched):
    pythons = {"python3": "3.9", "fetched": fetched}
    done, asked = machine(glibc, pythons, INSTALLS="0")
    assert done.returncode == 0, done.stderr
    assert f"no Python {fetched} here, asking uv to install one" in done.stdout
    assert f"python install {fetched}\n" in asked
    assert f"Python {fetched}" in done.stdout.splitlines()[1]


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({}, "found no Python 3.10, and uv could not install one"),
        ({"STACK": "1.21"}, "STACK=1.21 needs glibc 2.39 or later"),
        ({"STACK": "2"}, "STACK is '2'; it is 1.16 or 1.21"),
    ],
)
def test_says_what_is_missing(machine, environ, told):
    done, asked = machine("2.36", {"python3": "3.11"}, **environ)
    assert done.returncode == 1
    assert told in done.stderr
    assert "sync" not in asked
