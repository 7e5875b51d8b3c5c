"""`make run`: the pipeline on the sample data, then a prediction from the server over gRPC."""

import argparse
import pathlib
import socket
import subprocess
import sys

from emotion_faces.client import EmotionClient
from emotion_faces.errors import UserError
from emotion_faces.import_path import python_command
from emotion_pipeline.cli import main as emotion

READY_TIMEOUT_SECS = 60.0


def main() -> int:
    """Runs the pipeline, serves what it pushed, asks for a prediction; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", default="runs/sample")
    root = pathlib.Path(parser.parse_args().root).resolve()
    status = emotion(["run", "--data", "sample", "--root", str(root), "--recipe", "fast"])
    if status:
        return status
    push_dir = root / "pushed" / "emotion"
    picture = _a_picture(root)
    server_log = root / "logs" / "server.log"
    port, rest_port = _free_port(), _free_port()
    with open(server_log, "wb") as log:
        server = subprocess.Popen(
            python_command(
                *("emotion_pipeline.cli", "serve", "--model-dir", str(push_dir)),
                *("--engine", "embedded", "--port", str(port), "--rest-port", str(rest_port)),
            ),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    address = f"127.0.0.1:{port}"
    try:
        with EmotionClient(address) as client:
            client.wait_until_ready(READY_TIMEOUT_SECS)
        print(f"\nserver at {address} (log: {server_log}); its answer over gRPC for a drawn face:")
        status = emotion(["predict", str(picture), "--server", address])
    except UserError as error:
        print(f"the server gave no answer: {error}\nits log: {server_log}", file=sys.stderr)
        return 1
    finally:
        server.terminate()
        server.wait()
    print(
        f"\noutputs: {root}\n"
        f"  the run's page: {root / 'report.html'}\n"
        f"  serve them:    .venv/bin/emotion serve --model-dir {push_dir}\n"
        f"  ask them:      .venv/bin/emotion predict {picture.parent}"
    )
    return status


def _a_picture(root: pathlib.Path) -> pathlib.Path:
    pictures = sorted((root / "sources").glob("*/data/**/validation/happy/*.jpg"))
    if not pictures:
        raise FileNotFoundError(f"no drawn picture of a happy face under {root / 'sources'}")
    return pictures[0]


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


if __name__ == "__main__":
    sys.exit(main())
