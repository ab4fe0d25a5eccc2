"""Events on their way to one client, who may read more slowly than they come."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from rlm_kernel.errors import ReaderTooSlow, RLMKernelError
from rlm_kernel.http.events import KEEP_ALIVE, encode
from rlm_kernel.http.faults import fault_of

KEEP_ALIVE_SECONDS = 5.0


def fault_event(error: RLMKernelError) -> bytes:
    """The event that ends a stream without its end."""
    return encode("fault", fault_of(error))


class EventStream:
    """Bytes of events in their order, at most `limit` of them while nobody takes them.

    Where more would wait, what waits is dropped, the stream ends with a fault, which `tell` makes
    bytes of, and `on_overflow` is called. One event alone may be larger.
    """

    def __init__(self, limit: int, tell: Callable[[RLMKernelError], bytes] = fault_event) -> None:
        self.on_overflow: Callable[[], object] = lambda: None
        self._limit = limit
        self._tell = tell
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._news = asyncio.Event()

    def end(self) -> None:
        """Takes no more. Idempotent."""
        self._ended = True
        self._news.set()

    async def take(self) -> bytes:
        """All that waits, or a comment when nothing has come for long; empty at the end."""
        while not self._waiting and not self._ended:
            try:
                async with asyncio.timeout(KEEP_ALIVE_SECONDS):
                    await self._news.wait()
            except TimeoutError:
                return KEEP_ALIVE
            self._news.clear()
        taken = b"".join(self._waiting)
        self._waiting.clear()
        self._size = 0
        return taken

    def add(self, data: bytes) -> None:
        """Add bytes of whole events; none once the stream has ended."""
        if self._ended or not data:
            return
        if self._waiting and self._size + len(data) > self._limit:
            self._overflow()
            return
        self._waiting.append(data)
        self._size += len(data)
        self._news.set()

    def _overflow(self) -> None:
        reason = f"more than {self._limit} bytes of events waited for their reader"
        self._waiting.clear()
        self._waiting.append(self._tell(ReaderTooSlow(reason)))
        self.end()
        self.on_overflow()
