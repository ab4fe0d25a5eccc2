"""Sessions for tests that look at what the event loop sees."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

from rlm_kernel.sandbox import Capture, ExecutionResult, Limits, Session, Zygote

DEAF = """
import signal
signal.signal(signal.SIGINT, lambda *ignored: None)
signal.signal = lambda *ignored: None
"""
"""A cell after which the session's process heeds no interrupt, however soon it comes."""

_numbers = count()


@asynccontextmanager
async def own_zygote() -> AsyncIterator[Zygote]:
    """A zygote for a test that ends it, or counts what it leaves behind."""
    started = await Zygote.start()
    try:
        yield started
    finally:
        await started.close()


@asynccontextmanager
async def session(zygote: Zygote, limits: Limits | None = None) -> AsyncIterator[Session]:
    """A session of a zygote, with limits that differ from the zygote's in what its owner sees to.

    That is `cell_timeout`, `cpu_seconds`, `interrupt_grace` and `standby`.
    """
    one = Session(zygote, limits or zygote.limits, await zygote.fork())
    try:
        yield one
    finally:
        await one.close()


async def until_standby(session: Session) -> None:
    """Returns once a cell that is killed would cost itself and no more."""
    while not session.has_standby:  # noqa: ASYNC110 - made when nothing else happens
        await asyncio.sleep(0.005)


async def run(session: Session, code: str, time_limit: float | None = None) -> ExecutionResult:
    session.on_event = capture = Capture()
    reply = await session.request(
        "execute_request", {"code": code}, request_id=str(next(_numbers)), timeout=time_limit
    )
    return capture.result(reply, 0)
