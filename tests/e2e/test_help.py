"""`--help` needs neither TensorFlow nor TFX, nor anything else that takes longer than it."""

import subprocess
import sys

import pytest

from tests.e2e.conftest import REPOSITORY

PROGRAM = """
import sys
from emotion_pipeline.cli import main
try:
    main(sys.argv[1:])
except SystemExit as done:
    heavy = set(sys.modules) & {
        "tensorflow", "tfx", "apache_beam", "numpy", "pandas", "cv2", "grpc", "yaml", "google.protobuf"
    }
    sys.exit(f"imported {heavy}" if heavy else done.code)
"""


COMMANDS = (
    "run",
    "validate",
    "schema",
    "serve",
    "predict",
    "annotate",
    "explain",
    "web",
    "sample-data",
    "kubeflow",
    "cluster",
)
ACTIONS = (["kubeflow", "compile"], ["kubeflow", "submit"])


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS), *ACTIONS])
def test_help_imports_nothing_heavy(command):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *command, "--help"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: ")
