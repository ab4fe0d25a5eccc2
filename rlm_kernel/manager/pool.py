"""Sessions that are ready before anybody asks for them."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import Context

from rlm_kernel.errors import RLMKernelError
from rlm_kernel.sandbox import Session

_log = logging.getLogger(__name__)

REFILL_DELAY = 0.02
"""Seconds after a session was taken, in which it likely runs its first cell, to its successor."""


class Pool:
    """Keeps up to `size` sessions ready, and replaces in the background those that are taken.

    Whoever asks for more at once gets fresh ones. A session that ended meanwhile is never given
    away, nor is one from before `renew`.
    """

    def __init__(self, spawn: Callable[[], Awaitable[Session]], size: int) -> None:
        self._spawn = spawn
        self._size = size
        self._ready: deque[Session] = deque()
        self._refill: asyncio.Task[None] | None = None
        self._generation = 0
        self._endings: set[asyncio.Future[None]] = set()
        self._closed = False

    def __len__(self) -> int:
        """How many are ready."""
        return len(self._ready)

    async def take(self) -> Session:
        """A session that nobody has used. Raises what `spawn` raises."""
        while self._ready:
            session = self._ready.popleft()
            self.fill(after=REFILL_DELAY)
            if session.lives:
                return session
            self._end(session)
        session = await self._spawn()
        self.fill(after=REFILL_DELAY)
        return session

    def fill(self, after: float = 0.0) -> None:
        """Have as many ready as there should be, beginning in some seconds."""
        if self._refill is None and not self._closed:
            # In a context of its own: it is not for the request that has taken the last one.
            self._refill = asyncio.create_task(self._fill(after), context=Context())

    def renew(self) -> None:
        """Replace all that are ready: there is a better source now."""
        self._generation += 1
        self._end_all()
        self.fill()

    async def close(self) -> None:
        """End those that are ready, and have no more. Idempotent."""
        self._closed = True
        if self._refill is not None:
            self._refill.cancel()
            await asyncio.wait({self._refill})
        self._end_all()
        await asyncio.gather(*self._endings)

    async def _fill(self, after: float) -> None:
        try:
            await asyncio.sleep(after)
            while len(self._ready) < self._size:
                await self._add_one()
        except RLMKernelError as error:  # the next to take one tries again
            _log.warning("no session could be made ready: %s", error)
        finally:
            self._refill = None

    async def _add_one(self) -> None:
        generation = self._generation
        session = await self._spawn()
        if generation == self._generation:
            self._ready.append(session)
        else:
            self._end(session)

    def _end_all(self) -> None:
        while self._ready:
            self._end(self._ready.pop())

    def _end(self, session: Session) -> None:
        ending = asyncio.ensure_future(session.close())
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)
