"""Models written once for all serving tests, and one server over them."""

import os
import socket
import subprocess
import sys

import pytest

from emotion_faces import client
from tests.serving import models

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def astronaut():
    """A photograph, uint8 RGB [512, 512, 3], with one face."""
    data = pytest.importorskip("skimage.data", reason="scikit-image has the test photograph")
    return data.astronaut()


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory):
    """Folders `emotion` and `half_plus_two`, each with version 1."""
    root = tmp_path_factory.mktemp("models")
    for name in ("emotion", "half_plus_two"):
        (root / name).mkdir()
    models.write_emotion(root / "emotion" / "1")
    models.write_half_plus_two(root / "half_plus_two" / "1")
    return root


@pytest.fixture(scope="session")
def emotion_server(models_dir, tmp_path_factory):
    """HOST:PORT of a server process that serves `emotion`."""
    port = free_port()
    log = tmp_path_factory.mktemp("server") / "log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "emotion_faces.model_server",
                "--model_name=emotion",
                f"--model_base_path={models_dir / 'emotion'}",
                f"--port={port}",
                "--max_image_pixels=1000000",
            ],
            cwd=ROOT,
            stderr=stderr,
        )
    try:
        with client.EmotionClient(f"127.0.0.1:{port}") as emotion:
            emotion.wait_until_ready(60)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        assert process.wait(30) == 0, log.read_text()
