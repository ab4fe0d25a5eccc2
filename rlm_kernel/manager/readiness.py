"""Whether the manager can do its work, shown by doing it once."""

from __future__ import annotations

import asyncio
import math
import time
from contextvars import Context

from rlm_kernel.errors import NotReady
from rlm_kernel.manager import wire
from rlm_kernel.manager.zygotes import ZygoteKeeper

_CELL = {
    "code": "assert 6 * 7 == 42",
    "silent": True,
    "store_history": False,
    "user_expressions": {},
    "allow_stdin": False,
    "stop_on_error": False,
}
_CELL_SECONDS = 10.0
_FRESH_SECONDS = 1.0


class Readiness:
    """Proves readiness for all who ask: at once, or within a second, they share one proof.

    However many ask, it costs the manager no more than one session a second.
    """

    def __init__(self, zygotes: ZygoteKeeper) -> None:
        self._zygotes = zygotes
        self._proof: asyncio.Task[wire.Readiness] | None = None
        self._proved_at = -math.inf

    async def prove(self) -> wire.Readiness:
        """Raises NotReady when the zygote is not up, or the cell did not run."""
        if self._zygotes.state != "ready":
            raise NotReady(f"the zygote is not ready: {self._zygotes.state}")
        if self._proof is None or self._is_stale(self._proof):
            self._proof = asyncio.create_task(self._prove(), context=Context())
        # Not awaited itself: one who hangs up must not cancel it for the others.
        await asyncio.wait({self._proof})
        return self._proof.result()

    def _is_stale(self, proof: asyncio.Task[wire.Readiness]) -> bool:
        return proof.done() and time.monotonic() - self._proved_at > _FRESH_SECONDS

    async def _prove(self) -> wire.Readiness:
        try:
            return await run_a_cell(self._zygotes)
        finally:
            self._proved_at = time.monotonic()


async def run_a_cell(zygotes: ZygoteKeeper) -> wire.Readiness:
    """Create a session that is on no list, run a cell in it, and close it.

    Raises NotReady when the cell did not run.
    """
    started = time.perf_counter()
    session = await zygotes.spawn()
    try:
        reply = await session.request(
            "execute_request", dict(_CELL), request_id="ready", timeout=_CELL_SECONDS
        )
    finally:
        await session.close()
    if reply.content.get("status") != "ok":
        raise NotReady(f"a cell failed: {reply.content.get('ename', 'no reason given')}")
    return wire.Readiness(duration_ms=(time.perf_counter() - started) * 1000)
