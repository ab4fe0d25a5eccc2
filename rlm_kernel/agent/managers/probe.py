"""What a manager answers to those who have to choose one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from rlm_kernel.agent.managers.seats import Seat
from rlm_kernel.errors import (
    ManagerUnavailable,
    RLMKernelError,
    SessionExpired,
    SessionNotFound,
)

PROBE_SECONDS = 2.0
"""How long a manager that is well may take to say so."""

READY_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Probe:
    """`fault` is why the manager cannot be used; else `starting` and `sessions` say how it does."""

    url: str
    sessions: int = 0
    starting: bool = False
    fault: RLMKernelError | None = None


async def probe(seat: Seat) -> Probe:
    """Ask a manager how it does. Raises nothing: what goes wrong is in the answer."""
    try:
        async with asyncio.timeout(PROBE_SECONDS), seat.client() as client:
            health = await client.health()
    except (RLMKernelError, TimeoutError) as error:
        return Probe(seat.url, fault=_typed(error))
    return Probe(seat.url, health.sessions, starting=health.zygote != "ready")


async def has_session(seat: Seat, session_id: str) -> bool | RLMKernelError:
    """Whether the manager has the session, or had it until it expired; or why none can tell."""
    try:
        async with asyncio.timeout(PROBE_SECONDS), seat.client() as client:
            await client.session(session_id)
    except SessionNotFound:
        return False
    except SessionExpired:
        return True
    except (RLMKernelError, TimeoutError) as error:
        return _typed(error)
    return True


async def why_not_ready(seat: Seat) -> RLMKernelError | None:
    """None once the manager has run a cell."""
    try:
        async with asyncio.timeout(READY_SECONDS), seat.client() as client:
            await client.ready()
    except (RLMKernelError, TimeoutError) as error:
        return _typed(error)
    return None


def _typed(error: RLMKernelError | TimeoutError) -> RLMKernelError:
    if isinstance(error, TimeoutError):
        return ManagerUnavailable("no answer in time")
    return error
