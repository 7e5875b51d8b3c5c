"""TCP ports: checked and held before the models load, so that a port in use is told at once."""

from __future__ import annotations

import contextlib
import resource
import socket

from emotion_faces.errors import UsageError, UserError

LARGEST = 65535


def check(flag: str, port: int) -> None:
    """Refuses what is no port; 0 is none, or any free one.

    Raises:
      UsageError: It is negative or too large.
    """
    if not 0 <= port <= LARGEST:
        raise UsageError(f"{flag} takes a port from 0 to {LARGEST}; found {port}")


def allow_connections() -> None:
    """Lets this process have as many connections as the system's hard limit on descriptors allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def hold(flag: str, host: str, port: int) -> contextlib.AbstractContextManager[object]:
    """Binds an address without listening, so that callers are still refused; 0 holds nothing.

    The server that listens later binds beside it, as SO_REUSEADDR lets it; close this one then.

    Raises:
      UserError: The address can't be bound.
    """
    check(flag, port)
    if not port:
        return contextlib.nullcontext()
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        holder = socket.socket(family, kind, protocol)
    except OSError as error:
        raise cannot_open(flag, host, port, error) from error
    try:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(address)
    except OSError as error:
        holder.close()
        raise cannot_open(flag, host, port, error) from error
    return holder


def cannot_open(flag: str, host: str, port: int, error: OSError | None = None) -> UserError:
    """The error of an address that can't be bound; names the flag that chose it."""
    reason = f" ({error.strerror or error})" if error is not None else ""
    return UserError(
        f"the address {host}:{port} can't be opened{reason}; it may be in use: choose another port "
        f"with {flag}"
    )
