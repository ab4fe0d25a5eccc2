"""The sockets that a server listens on, and who may reach them without a token."""

from __future__ import annotations

import resource
import socket
from collections.abc import Sequence

from tornado.netutil import bind_sockets

from rlm_kernel.errors import ConfigurationError
from rlm_kernel.http.door import is_loopback


def bind(host: str, port: int, *, token_name: str, has_token: bool) -> list[socket.socket]:
    """Listen on `host` and `port`; 0 is a free one.

    Raises ConfigurationError where that is not possible, or is open to other machines without a
    token, which the setting `token_name` gives.
    """
    addresses = _addresses(host, port)
    if not has_token and not all(map(is_loopback, addresses)):
        raise ConfigurationError(
            f"{host or 'every address'} is open to other machines: set {token_name}, "
            "or listen on 127.0.0.1"
        )
    try:
        return bind_sockets(port, host)
    except OSError as error:
        raise ConfigurationError(f"cannot listen on {host}:{port}: {error.strerror}") from error


def url_of(sockets: Sequence[socket.socket]) -> str:
    """Where a server on these sockets answers, with the port it got."""
    address = sockets[0].getsockname()
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    return f"http://{host}:{address[1]}"


def allow_many_files() -> None:
    """Take as many descriptors as this process may have; 1024 is what one often gets."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _addresses(host: str, port: int) -> set[str]:
    try:
        found = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        raise ConfigurationError(f"cannot listen on {host!r}: {error.strerror}") from error
    return {str(info[4][0]) for info in found}
