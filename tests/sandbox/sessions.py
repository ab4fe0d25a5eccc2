"""Sessions for tests that look at what the event loop sees."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

from rlm_kernel.sandbox import Capture, ExecutionResult, Limits, Session, Zygote

_numbers = count()


@asynccontextmanager
async def zygote(limits: Limits | None = None) -> AsyncIterator[Zygote]:
    started = await Zygote.start(limits)
    try:
        yield started
    finally:
        await started.close()


@asynccontextmanager
async def session(limits: Limits | None = None) -> AsyncIterator[Session]:
    async with zygote(limits) as started:
        yield await started.spawn()


async def run(session: Session, code: str, time_limit: float | None = None) -> ExecutionResult:
    session.on_event = capture = Capture()
    reply = await session.request(
        "execute_request", {"code": code}, request_id=str(next(_numbers)), timeout=time_limit
    )
    return capture.result(reply, 0)
