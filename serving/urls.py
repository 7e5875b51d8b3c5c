"""Pictures, films and streams from URLs: off unless asked for, bounded, and from no address that is not public.

libav and Pillow open no URL of HTTP themselves: what they read comes through here, from an address that was checked, so
that neither a redirect nor a name that changes its address leads to this computer's network.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import ipaddress
import pathlib
import re
import socket
import ssl
import threading
import time
import urllib.parse
from collections.abc import Iterator

from emotion_faces.errors import UserError

MAX_BYTES = 2 * 1024**3
"""Of a file that is fetched."""

STALL_SECS = 15.0
"""Without a byte for so long, a connection is given up."""

FETCH_SECS = 600.0
"""A whole file is there within this."""

_HEAD_SECS = 30.0  # for a connection and its answer's head, however slowly it drips
_MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
PORTS = {"http": 80, "https": 443, "rtsp": 554}
_PIECE_BYTES = 64 * 1024
_UNICAST = ipaddress.ip_network("2000::/3")
_EXAMPLES = ipaddress.ip_network("3fff::/20")
"""Of IPv6, what is given out for the public internet (RFC 4291, 2.4), and what of it is for documents (RFC 9637)."""
_URL = re.compile(r"(https?|rtsp)://", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class UrlPolicy:
    """Which URLs may be opened, and how much of them.

    Attributes:
      allowed: Whether any.
      private: Whether at addresses that are not public too: loopback, private and link-local ones.
      max_bytes: Of a file.
      stall_secs: How long nothing may come.
      fetch_secs: How long a file may take.
    """

    allowed: bool = False
    private: bool = False
    max_bytes: int = MAX_BYTES
    stall_secs: float = STALL_SECS
    fetch_secs: float = FETCH_SECS


NO_URLS = UrlPolicy()
"""None may be opened."""


class Response:
    """An answer's body, as a file without a way back; a context manager.

    Attributes:
      name: The URL, without a password.
      length: Its stated length in bytes; None where it has no end, or does not say.
    """

    def __init__(
        self,
        connection: http.client.HTTPConnection,
        sockets: list[socket.socket],
        name: str,
        policy: UrlPolicy,
    ):
        self.name = name
        self._connection = connection
        self._sockets = sockets
        self._response = connection.getresponse()
        self._policy = policy
        stated = self._response.getheader("Content-Length")
        self.length = int(stated) if stated and stated.isascii() and stated.isdigit() else None
        self._whole: tuple[float, float] | None = None

    @property
    def status(self) -> int:
        """HTTP's status."""
        return self._response.status

    @property
    def reason(self) -> str:
        """The status in words."""
        return self._response.reason

    def header(self, name: str) -> str:
        """A header's value; empty where there is none."""
        return self._response.getheader(name, "")

    def __enter__(self) -> Response:
        return self

    def __exit__(self, *exc: object) -> None:
        self._response.close()
        self._connection.close()

    def wait_for_whole(self, secs: float) -> None:
        """Begins the time in which something whole is to come: bytes may drip for ever."""
        self._whole = secs, time.monotonic() + secs

    def read(self, size: int) -> bytes:
        """The next bytes, as soon as some are there; none at the end.

        Raises:
          UserError: Nothing came for too long, or nothing whole, or the connection broke.
        """
        if self._whole is not None and time.monotonic() > self._whole[1]:
            raise UserError(f"{self.name} drips: nothing whole came for {self._whole[0]:g} s")
        try:
            if not self._response.chunked:
                return self._response.read1(size)
            # What stands between chunks can drip for ever, and each byte of it alone would be in time.
            with _deadline(self._policy.stall_secs, self._sockets):
                return self._response.read1(size)
        except TimeoutError:
            raise UserError(
                f"{self.name} stalled: nothing came for {self._policy.stall_secs:g} s"
            ) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise UserError(f"{self.name} broke off: {error or type(error).__name__}") from None


def is_url(text: str) -> bool:
    """Whether an argument is a URL of a kind that is known here."""
    return bool(_URL.match(text))


def shown(url: str) -> str:
    """The URL without its user and password."""
    # Not by its parts: what is no URL must be shown too.
    return re.sub(r"^(\w+://)[^/?#]*@", r"\1", url)


def file_name(url: str) -> str:
    """A file name for what a URL names: its last part, of letters, digits, dots, hyphens and underscores."""
    last = urllib.parse.unquote(urllib.parse.urlsplit(url).path.rpartition("/")[2])
    plain = re.sub(r"[^\w.-]", "_", last, flags=re.ASCII).lstrip(".")[:100]
    return plain or urllib.parse.urlsplit(url).hostname or "stream"


def check_url(url: str, policy: UrlPolicy) -> list[str]:
    """Resolves a URL's host and makes sure that it may be asked.

    Returns:
      Its addresses, as text; each of them passed.

    Raises:
      UserError: URLs are off, the URL is none, its host is unknown, or one of its addresses is not public.
    """
    if not policy.allowed:
        raise UserError(f"{shown(url)} is a URL: --allow-urls lets them be opened")
    try:
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname, parts.port or PORTS[parts.scheme.lower()]
    except (ValueError, KeyError):
        host, port = None, 0
    if not host:
        raise UserError(
            f"{shown(url)} is no URL that can be opened: http, https or rtsp, with a host"
        )
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        told = getattr(error, "strerror", None) or "it is no name"
        raise UserError(f"{shown(url)}: the host {host} can't be resolved: {told}") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        if not policy.private and not is_public(address):
            raise UserError(
                f"{shown(url)} leads to {address}, which is not a public address: --allow-private-urls lets "
                "it be asked"
            )
    return addresses


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in ipaddress.ip_network("64:ff9b::/96"):  # NAT64
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        # `is_global` says so of site-local ones and of networks' own translations of IPv4, 64:ff9b:1:: say.
        if ip not in _UNICAST or ip in _EXAMPLES:
            return False
    return ip.is_global and not ip.is_multicast


@contextlib.contextmanager
def open_url(url: str, policy: UrlPolicy) -> Iterator[Response]:
    """Opens what a URL of HTTP or HTTPS names, over up to five redirects, each of which is checked anew.

    Raises:
      UserError: It may not be asked, can't be reached, does not answer in time, or answers otherwise than
        with a body as it is.
    """
    if url.lower().startswith("rtsp:"):
        raise UserError(
            f"{shown(url)} is a stream, which emotion annotate reads: give a picture's URL"
        )
    first = url
    for _ in range(_MAX_REDIRECTS + 1):
        with _asked(url, policy) as response:
            if response.status not in _REDIRECTS:
                _check_answer(response, policy)
                yield response
                return
            target = urllib.parse.urljoin(url, response.header("Location"))
        if not target.lower().startswith(("http://", "https://")) or (
            url.lower().startswith("https:") and not target.lower().startswith("https:")
        ):
            raise UserError(f"{shown(url)} leads on to {shown(target)}, which is not followed")
        url = target
    raise UserError(f"{shown(first)} leads on more than {_MAX_REDIRECTS} times")


def fetch(url: str, path: pathlib.Path, policy: UrlPolicy) -> None:
    """Writes the file that a URL names to a path.

    Raises:
      UserError: As open_url; or it is larger, or takes longer, than may be, or is cut off.
    """
    with open_url(url, policy) as response:
        save(response, path, policy)


def save(response: Response, path: pathlib.Path, policy: UrlPolicy) -> None:
    """Writes an answer's body to a path; raises as `fetch`."""
    end = time.monotonic() + policy.fetch_secs
    size = 0
    with path.open("xb") as file:
        while piece := response.read(_PIECE_BYTES):
            size += len(piece)
            if size > policy.max_bytes:
                raise UserError(f"{response.name} is larger than {policy.max_bytes:,} bytes")
            if time.monotonic() > end:
                raise UserError(f"{response.name} takes longer than {policy.fetch_secs:g} s")
            file.write(piece)
    if response.length is not None and size < response.length:
        raise UserError(f"{response.name} broke off after {size:,} of {response.length:,} bytes")


@contextlib.contextmanager
def _asked(url: str, policy: UrlPolicy) -> Iterator[Response]:
    addresses = check_url(url, policy)
    parts = urllib.parse.urlsplit(url)
    if parts.username or parts.password:
        raise UserError(f"{shown(url)}: a URL of HTTP with a user or password is not opened")
    secure = parts.scheme.lower() == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    host = str(parts.hostname)
    connection = kind(host, parts.port, timeout=policy.stall_secs)
    path = urllib.parse.quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = urllib.parse.quote(parts.query, safe="/%:@!$&'()*+,;=~-._?")
    port = parts.port or PORTS[parts.scheme.lower()]
    response = None
    try:
        watched: list[socket.socket] = []
        with _deadline(_HEAD_SECS, watched):
            plain = _connect(addresses, port, policy)
            watched.append(plain)
            connection.sock = plain
            if secure:
                sealed = ssl.create_default_context().wrap_socket(
                    plain, server_hostname=host, do_handshake_on_connect=False
                )
                watched.append(sealed)
                sealed.do_handshake()
                connection.sock = sealed
            # Packed bodies would have to be unpacked by somebody, and a few bytes can unpack to any number.
            headers = {"Accept-Encoding": "identity", "User-Agent": "emotion-faces"}
            connection.request("GET", f"{path}?{query}" if query else path, headers=headers)
            response = Response(connection, watched, shown(url), policy)
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        late = isinstance(error, TimeoutError)
        told = "it does not answer in time" if late else str(error) or type(error).__name__
        raise UserError(f"{shown(url)} can't be opened: {told}") from None
    with response:
        yield response


def _connect(addresses: list[str], port: int, policy: UrlPolicy) -> socket.socket:
    """Connects to one of the addresses themselves: asking for the name again could give others."""
    for number, address in enumerate(addresses, 1):
        try:
            return socket.create_connection((address, port), policy.stall_secs)
        except OSError:
            if number == len(addresses):
                raise
    raise OSError("it has no address")


@contextlib.contextmanager
def _deadline(secs: float, watched: list[socket.socket]) -> Iterator[None]:
    """Cuts the sockets that are in the list by then off after so long."""
    over = threading.Event()

    def cut() -> None:
        over.set()
        for one in watched:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(one, socket.SHUT_RDWR)  # TLS's own would wait to say goodbye

    timer = threading.Timer(secs, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (OSError, http.client.HTTPException):
        if over.is_set():
            raise TimeoutError from None
        raise
    finally:
        timer.cancel()


def _check_answer(response: Response, policy: UrlPolicy) -> None:
    if response.status != http.HTTPStatus.OK:
        raise UserError(f"{response.name} answers {response.status} {response.reason}".rstrip())
    coding = response.header("Content-Encoding").strip().lower()
    if coding not in ("", "identity"):
        raise UserError(f"{response.name} answers packed ({coding[:20]}), which was not asked for")
    if response.length is not None and response.length > policy.max_bytes:
        raise UserError(
            f"{response.name} has {response.length:,} bytes; at most {policy.max_bytes:,} are fetched"
        )
