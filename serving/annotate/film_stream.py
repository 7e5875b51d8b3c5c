"""Films without an end, from URLs, as libav reads them."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import urllib.parse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from emotion_faces.errors import UserError
from emotion_faces.urls import Response, UrlPolicy, check_url, open_url, save, shown

if TYPE_CHECKING:
    import av.container

_RTSP_OPTIONS = {"rtsp_transport": "tcp", "protocol_whitelist": "rtsp,tcp"}


@dataclasses.dataclass(frozen=True)
class FilmStream:
    """A film that is read as it comes.

    Attributes:
      name: its URL, without a password.
      source: the body of an answer of HTTP, or an address that libav asks itself.
      stall_secs: how long nothing may come.
    """

    name: str
    source: Response | str
    stall_secs: float

    @contextlib.contextmanager
    def open(self) -> Iterator[av.container.InputContainer]:
        """Opens it for libav.

        Raises:
          UserError: it is nothing that libav knows, does not answer, or stalled.
        """
        import av

        of_rtsp = isinstance(self.source, str)
        try:
            container = av.open(
                self.source,
                "r",
                options=_RTSP_OPTIONS if of_rtsp else {"protocol_whitelist": "none"},
                metadata_errors="replace",
                timeout=self.stall_secs if of_rtsp else None,
            )
        except (av.FFmpegError, ValueError) as error:
            told = getattr(error, "strerror", None) or error
            raise UserError(
                f"{self.name} is not a film that can be read as it comes ({told})"
            ) from None
        with container:
            yield container


def open_stream(
    url: str, path: pathlib.Path, policy: UrlPolicy, stack: contextlib.ExitStack
) -> FilmStream | None:
    """Opens what a URL names: a file, which states its length, is fetched to `path`; what does not is a stream.

    Args:
      url: of http, https or rtsp.
      path: where a file goes.
      policy: what may be opened.
      stack: closes a stream.

    Returns:
      The stream, or None for a file.

    Raises:
      UserError: as `emotion_faces.urls.open_url` and `fetch`.
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


def _checked_rtsp(url: str, policy: UrlPolicy) -> str:
    addresses = check_url(url, policy)
    if not policy.private:
        raise UserError(
            f"{shown(url)}: an RTSP server can lead libav on to any other address, so that it takes "
            "--allow-private-urls too"
        )
    parts = urllib.parse.urlsplit(url)
    user = parts.netloc.rpartition("@")[0]
    address = f"[{addresses[0]}]" if ":" in addresses[0] else addresses[0]
    host = f"{address}:{parts.port}" if parts.port else address
    return parts._replace(netloc=f"{user}@{host}" if user else host).geturl()
