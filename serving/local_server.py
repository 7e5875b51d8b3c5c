"""A model for this process alone: from a folder, without a server that the user must start."""

from __future__ import annotations

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Iterator

from emotion_faces.cache import cache_dir
from emotion_faces.client import DEFAULT_MODEL_NAME, DEFAULT_SERVER, EmotionClient
from emotion_faces.errors import UserError
from emotion_faces.stderr_log import stderr_to

_LONGEST_SOCKET_PATH = 100
"""Of the 107 bytes that Linux takes, and the 103 of macOS."""


@contextlib.contextmanager
def connect(
    server: str | None = None, model_dir: pathlib.Path | None = None
) -> Iterator[EmotionClient]:
    """Opens a client of a model server, or of a model folder; see `reach` for arguments and errors."""
    with reach(server, model_dir) as address, EmotionClient(address) as client:
        yield client


@contextlib.contextmanager
def reach(server: str | None = None, model_dir: pathlib.Path | None = None) -> Iterator[str]:
    """Yields the gRPC address of a model server, or of a folder that this process serves to itself.

    Args:
      server: HOST:PORT of a model server's gRPC port; 127.0.0.1:8500 when neither is given.
      model_dir: a SavedModel, or a folder of numbered ones of which the newest is taken.

    Raises:
      UserError: both are given, there is no model in the folder, or it can't be loaded.
    """
    if server and model_dir:
        raise UserError("give --server or --model-dir, not both")
    if model_dir is None:
        yield server or DEFAULT_SERVER
        return
    with serve_folder(model_dir) as address:
        yield address


@contextlib.contextmanager
def serve_folder(model_dir: pathlib.Path) -> Iterator[str]:
    """Serves the model to this user alone, on a Unix socket; yields its address for gRPC.

    Where the folder of temporary files has too long a name for one, on a free loopback port.
    What TensorFlow says as it starts goes to `local-server.log` in the cache folder.
    """
    version_dir = newest_version(model_dir)
    log_file = cache_dir() / "local-server.log"
    with stderr_to(log_file):
        # Half a minute of imports, with much to say, comes after the cheap checks.
        from emotion_faces.model_server import flags
        from emotion_faces.model_server.server import ModelServer
        from emotion_faces.model_server.status import StatusError

    with tempfile.TemporaryDirectory(prefix="emotion-") as base:
        # The server takes a folder of versions; this one holds the chosen version alone.
        version = version_dir.name if version_dir.name.isdigit() else "1"
        (pathlib.Path(base) / version).symlink_to(version_dir.resolve(), target_is_directory=True)
        socket = os.path.join(base, "socket")  # the folder is its owner's alone
        fits = len(os.fsencode(socket)) <= _LONGEST_SOCKET_PATH
        options = flags.Options(
            port=-1 if fits else 0,
            grpc_socket_path=socket if fits else "",
            model_name=DEFAULT_MODEL_NAME,
            model_base_path=base,
            file_system_poll_wait_seconds=0,
            max_num_load_retries=0,
        )
        server = ModelServer(options)
        try:
            with stderr_to(log_file):
                server.start()
        except StatusError as error:
            raise UserError(
                f"the model in {version_dir} can't be loaded: {error}; see {log_file}"
            ) from None
        try:
            yield f"unix:{socket}" if fits else f"127.0.0.1:{server.port}"
        finally:
            server.stop()


def newest_version(model_dir: pathlib.Path) -> pathlib.Path:
    """The folder with the SavedModel: `model_dir` itself, or its highest-numbered folder.

    Raises:
      UserError: there is none.
    """
    if (model_dir / "saved_model.pb").is_file():
        return model_dir
    versions = [
        path
        for path in (model_dir.iterdir() if model_dir.is_dir() else ())
        if path.name.isdigit() and (path / "saved_model.pb").is_file()
    ]
    if not versions:
        raise UserError(
            f"{model_dir} holds no SavedModel: give the folder with saved_model.pb in it, or the "
            "one with the numbered versions"
        )
    return max(versions, key=lambda path: int(path.name))
