"""Managers behind a name: what the name service answers now, and soon again."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from rlm_kernel.errors import ManagerUnavailable

if TYPE_CHECKING:
    from dns.nameserver import Nameserver

Resolve = Callable[[], Awaitable[Sequence[str]]]
"""Gives the `HOST:PORT` of each. Raises LookupError where the name service does not know."""

REFRESH_SECONDS = 5.0
"""For how long an answer holds; a headless Service's records live for about as long."""

RESOLVE_SECONDS = 5.0

_log = logging.getLogger(__name__)


class NamedManagers:
    """The `Addresses` that a name stands for: those of a headless Service's ready pods, say.

    Where the name service fails, its last answer holds on: managers live on without it.
    """

    def __init__(
        self, scheme: str, resolve: Resolve, *, refresh_seconds: float = REFRESH_SECONDS
    ) -> None:
        self._scheme = scheme
        self._resolve = resolve
        self._refresh_seconds = refresh_seconds
        self._urls: tuple[str, ...] = ()
        self._stale_at = 0.0

    async def now(self) -> Sequence[str]:
        """See `Addresses`."""
        if time.monotonic() >= self._stale_at:
            await self._refresh()
        return self._urls

    async def _refresh(self) -> None:
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                found = await self._resolve()
        except (LookupError, TimeoutError) as error:
            reason = str(error) or "no answer in time"
            if not self._urls:
                raise ManagerUnavailable(f"managers cannot be looked up: {reason}") from error
            _log.warning("managers are taken to be where they were: %s", reason)
        else:
            self._urls = tuple(sorted({f"{self._scheme}://{place}" for place in found}))
        self._stale_at = time.monotonic() + self._refresh_seconds


async def addresses_of(host: str, port: int) -> Sequence[str]:
    """The addresses of a name, as the system looks it up: A and AAAA records, or /etc/hosts."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise LookupError(f"{host}: {error}") from error
    return [_place(str(address[0]), port) for *_, address in found]


async def services_of(
    name: str, nameservers: Sequence[tuple[str, int]] | None = None
) -> Sequence[str]:
    """The hosts and ports of a name's SRV records.

    `nameservers` are addresses and ports; those of /etc/resolv.conf by default.
    """
    from dns.asyncresolver import Resolver
    from dns.exception import DNSException

    try:
        resolver = Resolver(configure=nameservers is None)
        if nameservers is not None:
            resolver.nameservers = [_server(*one) for one in nameservers]
        answer = await resolver.resolve(name, "SRV", search=True, lifetime=RESOLVE_SECONDS)
    except DNSException as error:
        raise LookupError(f"{name}: {error}") from error
    return [f"{record.target.to_text(omit_final_dot=True)}:{record.port}" for record in answer]


def _server(address: str, port: int) -> Nameserver:
    from dns.nameserver import Do53Nameserver

    return Do53Nameserver(address, port)


def _place(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
