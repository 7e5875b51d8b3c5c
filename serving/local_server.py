"""A model for this process alone: from a folder, without a server that the user must start."""

from __future__ import annotations

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

from emotion_faces.addresses import DEFAULT_MODEL_NAME, DEFAULT_SERVER, DEFAULT_TIMEOUT_SECS
from emotion_faces.cache import cache_dir
from emotion_faces.errors import UsageError, UserError
from emotion_faces.model_folder import newest_version, onnx_file, version_number
from emotion_faces.stderr_log import stderr_to

if TYPE_CHECKING:
    import grpc

    from emotion_faces.client import EmotionClient
    from emotion_faces.local_model import LocalModel

_LONGEST_SOCKET_PATH = 100
"""Of the 107 bytes that Linux takes, and the 103 of macOS."""

_UNNUMBERED = 1
"""The version of a model whose folder has no number."""


@contextlib.contextmanager
def connect(
    server: str | None = None,
    model_dir: pathlib.Path | None = None,
    model_name: str = DEFAULT_MODEL_NAME,
    timeout_secs: float = DEFAULT_TIMEOUT_SECS,
    tls_ca: pathlib.Path | None = None,
) -> Iterator[EmotionClient | LocalModel]:
    """Opens what answers: a client of a model server, or the model of a folder in this process.

    A folder's ONNX file is run here; a version without one is served to this process by TensorFlow.

    Args:
      server: HOST:PORT of a model server's gRPC port; 127.0.0.1:8500 when neither is given.
      model_dir: A version, a folder of numbered ones of which the newest is taken, or a version's ONNX file.
      model_name: Name that the server has the model under.
      timeout_secs: Deadline of each call of a server.
      tls_ca: PEM file with the certificates by which a server with TLS is known; None for a plain connection.

    Raises:
      UserError: Both are given, there is no model in the folder, it can't be loaded, or the certificates
        can't be read or are for no server.
    """
    if server and model_dir:
        raise UsageError("give --server or --model-dir, not both")
    if tls_ca is not None and not server:
        raise UsageError("--tls-ca is for a server: name it with --server HOST:PORT")
    onnx_path = onnx_file(model_dir) if model_dir is not None else None
    if onnx_path is not None:
        from emotion_faces.local_model import LocalModel

        version = version_number(onnx_path.parent.parent.resolve().name)
        yield LocalModel(onnx_path, _UNNUMBERED if version is None else version)
        return
    from emotion_faces.client import EmotionClient

    with contextlib.ExitStack() as stack:
        if model_dir is not None:
            server, model_name = stack.enter_context(serve_folder(model_dir)), DEFAULT_MODEL_NAME
        credentials = _read_credentials(tls_ca) if tls_ca is not None else None
        client = EmotionClient(
            server or DEFAULT_SERVER, model_name, timeout_secs, credentials=credentials
        )
        yield stack.enter_context(client)


def _read_credentials(path: pathlib.Path) -> grpc.ChannelCredentials:
    import ssl

    import grpc

    try:
        # gRPC would take any bytes, and say of each call only that the server can't be reached.
        ssl.create_default_context(cafile=path)
        data = path.read_bytes()
    except ssl.SSLError:
        raise UserError(
            f"--tls-ca {path} holds no certificate: it must be PEM, beginning with "
            "-----BEGIN CERTIFICATE-----"
        ) from None
    except OSError as error:
        raise UserError(f"--tls-ca {path} can't be read: {error.strerror}") from None
    return grpc.ssl_channel_credentials(data)


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
        version = version_number(version_dir.name)
        name = str(_UNNUMBERED if version is None else version)
        (pathlib.Path(base) / name).symlink_to(version_dir.resolve(), target_is_directory=True)
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
