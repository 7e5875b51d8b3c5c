"""Opens film files for libav, and reads on past what is damaged."""

from __future__ import annotations

import contextlib
import math
import os
import pathlib
import time
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

from emotion_faces.annotate.film_stream import FilmStream
from emotion_faces.errors import UserError
from emotion_faces.names import printable
from emotion_faces.picture_bytes import READ_FORMATS_TOLD
from emotion_faces.regular_file import open_regular

if TYPE_CHECKING:
    import av
    import av.container

_BUFFER_BYTES = 1 << 18
_TRANSPORT_STREAM = "mpegts"
_TS_SUFFIXES = frozenset({".ts", ".mts", ".m2ts"})
_PICTURE_FORMATS, _PICTURE_SUFFIX = frozenset({"ico", "image2"}), "_pipe"
"""libav's names for pictures of one file, such as `ppm_pipe`."""

_MAX_FAILURES = 100
"""Failed reads one after the other, without a packet between, after which the rest is lost."""


@contextlib.contextmanager
def open_film(
    path: pathlib.Path | FilmStream, damage: list[str]
) -> Iterator[av.container.InputContainer]:
    """Opens a film for libav, which may open nothing else: a hostile playlist calls no server.

    What is damaged at its beginning is told in `damage`.

    Raises:
      UserError: The file is missing, empty, or nothing that libav knows.
    """
    import av

    if isinstance(path, FilmStream):
        with path.open() as container:
            yield container
        return
    name = printable(path)
    # Through Python's own file: libav takes no path for a protocol, and any name will do.
    try:
        file = open_regular(path)
    except OSError as error:
        raise UserError(f"{name} can't be read: {error.strerror}") from None
    with file:
        if not os.fstat(file.fileno()).st_size:
            raise UserError(f"{name} is empty (0 bytes)")
        # Where the beginning is damaged nothing can be told by it, and the suffix is asked.
        formats = [None, *([_TRANSPORT_STREAM] if path.suffix.lower() in _TS_SUFFIXES else [])]
        for file_format in formats:
            file.seek(0)
            try:
                container = av.open(
                    file,
                    "r",
                    format=file_format,
                    options={"protocol_whitelist": "none"},
                    metadata_errors="replace",
                    buffer_size=_BUFFER_BYTES,
                )
            except (av.FFmpegError, ValueError):
                continue
            if file_format:
                damage.append("its beginning can't be read")
            with container:
                _check_no_picture(container, name)
                yield container
            return
    raise UserError(f"{name} is not a film that can be read, or it is damaged")


def _check_no_picture(container: av.container.InputContainer, name: str) -> None:
    """Refuses what libav takes for a film of one frame, and has the wrong name and a plot for."""
    kind = container.format.name
    if kind in _PICTURE_FORMATS or kind.endswith(_PICTURE_SUFFIX):
        codec = next((s.codec_context.name for s in container.streams if s.codec_context), "")
        kind = codec or kind.removesuffix(_PICTURE_SUFFIX)
        raise UserError(
            f"{name} is a picture ({kind}) that can't be read: save it as {READ_FORMATS_TOLD}"
        )


def read_packets(
    container: av.container.InputContainer, damage: list[str], *streams: av.stream.Stream
) -> Generator[av.Packet[Any], None, None]:
    """The packets of the streams, or of all; at the end an empty one for each, for its decoder.

    What can't be read is passed over, and told once in `damage`.

    Raises:
      UserError: Nothing came for as long as the container was opened to wait.
    """
    import av

    limit = float(container.read_timeout or math.inf)
    stalled = UserError(f"the stream stalled: nothing came for {limit:g} s")
    failures = 0
    while True:
        packets = container.demux(*streams)
        try:
            start = time.monotonic()
            for packet in packets:
                if time.monotonic() - start >= limit:
                    raise stalled  # libav gives what it had kept back, and would wait once more
                failures = 0
                yield packet
                start = time.monotonic()
            return
        except (av.error.ExitError, av.error.TimeoutError):
            raise stalled from None
        except IndexError:
            return  # PyAV, at the end of a film to which tracks were added on the way: it knows the first ones alone
        except av.FFmpegError as error:
            failures += 1
            if not damage:
                damage.append(f"it can't be read everywhere ({error.strerror})")
            if failures > _MAX_FAILURES:
                return
