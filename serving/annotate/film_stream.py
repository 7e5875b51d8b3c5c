"""Films without an end, from URLs, as libav reads them."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import socket
import time
import urllib.parse
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from emotion_faces.errors import UserError
from emotion_faces.urls import PORTS, Response, UrlPolicy, check_url, open_url, save, shown

if TYPE_CHECKING:
    import av.container

_WHOLE_SECS = 60.0  # of HTTP, for a film's beginning and then each of its packets; libav keeps the time of RTSP
_RTSP_OPTIONS = {"rtsp_transport": "tcp", "protocol_whitelist": "rtsp,tcp"}


@dataclasses.dataclass(frozen=True)
class FilmStream:
    """A film that is read as it comes.

    Attributes:
      name: Its URL, without a password.
      source: The body of an answer of HTTP, or the same URL of RTSP at each of its host's addresses, of which libav
        asks one itself.
      stall_secs: How long nothing may come.
    """

    name: str
    source: Response | Sequence[str]
    stall_secs: float

    @contextlib.contextmanager
    def open(self) -> Iterator[av.container.InputContainer]:
        """Opens it for libav.

        Raises:
          UserError: It is nothing that libav knows, is not there or not for everybody, does not answer,
            stalled, or drips.
        """
        import av

        start = time.monotonic()
        self.wait_for_packet()
        source = self.source
        if not isinstance(source, Response):
            source = _answering(self.name, source, self.stall_secs)
        of_rtsp = isinstance(source, str)
        try:
            container = av.open(
                source,
                "r",
                options=_RTSP_OPTIONS if of_rtsp else {"protocol_whitelist": "none"},
                metadata_errors="replace",
                timeout=self.stall_secs if of_rtsp else None,
            )
        except av.error.HTTPUnauthorizedError:
            is_given = isinstance(source, str) and "@" in source
            whom = "does not take that" if is_given else "wants a"
            raise UserError(
                f"{self.name} {whom} user and password, which are given as rtsp://USER:PASSWORD@HOST/..."
            ) from None
        except av.error.HTTPNotFoundError:
            raise UserError(f"{self.name}: its server has no such stream (404)") from None
        except (av.FFmpegError, ValueError) as error:
            # libav calls it invalid data, mostly, where it was made to give up.
            if of_rtsp and time.monotonic() - start >= self.stall_secs:
                raise UserError(
                    f"{self.name}: the server does not answer: nothing came for {self.stall_secs:g} s"
                ) from None
            told = getattr(error, "strerror", None) or error
            raise UserError(
                f"{self.name} is not a film that can be read as it comes ({told})"
            ) from None
        with container:
            yield container

    def wait_for_packet(self) -> None:
        """Begins the time in which the next packet is to come whole."""
        if isinstance(self.source, Response):
            self.source.wait_for_whole(_WHOLE_SECS)


def open_stream(
    url: str, path: pathlib.Path, policy: UrlPolicy, stack: contextlib.ExitStack
) -> FilmStream | None:
    """Opens what a URL names: a file, which states its length, is fetched to `path`; what does not is a stream.

    Args:
      url: Of http, https or rtsp.
      path: Where a file goes.
      policy: What may be opened.
      stack: Closes a stream.

    Returns:
      The stream, or None for a file.

    Raises:
      UserError: As `emotion_faces.urls.open_url` and `fetch`.
    """
    if urllib.parse.urlsplit(url).scheme.lower() == "rtsp":
        return FilmStream(shown(url), _checked_rtsp(url, policy), policy.stall_secs)
    with contextlib.ExitStack() as opened:
        response = opened.enter_context(open_url(url, policy))
        if response.length is None and not response.header("Content-Type").startswith("image/"):
            stack.enter_context(opened.pop_all())
            return FilmStream(response.name, response, policy.stall_secs)
        save(response, path, policy)
    return None


def _answering(name: str, urls: Sequence[str], secs: float) -> str:
    """Returns the first URL at whose address something answers: libav says of the others that they are no film."""
    told = ""
    for url in urls:
        parts = urllib.parse.urlsplit(url)
        place = (str(parts.hostname), parts.port or PORTS["rtsp"])
        try:
            socket.create_connection(place, secs).close()
            return url
        except OSError as error:
            told = f"{place[0]}, port {place[1]} ({error.strerror or error})"
    raise UserError(f"{name}: nothing answers at {told}")


def _checked_rtsp(url: str, policy: UrlPolicy) -> list[str]:
    addresses = check_url(url, policy)
    if not policy.private:
        raise UserError(
            f"{shown(url)}: an RTSP server can lead libav on to any other address, so that it takes "
            "--allow-private-urls too"
        )
    parts = urllib.parse.urlsplit(url)
    user = parts.netloc.rpartition("@")[0]
    before, after = f"{user}@" if user else "", f":{parts.port}" if parts.port else ""
    hosts = [f"[{one}]" if ":" in one else one for one in addresses]
    return [parts._replace(netloc=f"{before}{one}{after}").geturl() for one in hosts]
