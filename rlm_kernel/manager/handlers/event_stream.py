"""Events on their way to one client, who may read more slowly than they come."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from rlm_kernel.errors import ManagerError, ReaderTooSlow, RLMKernelError
from rlm_kernel.manager.cell_events import KEEP_ALIVE, encode, jupyter_event
from rlm_kernel.manager.faults import fault_of
from rlm_kernel.manager.wire import CellEnd
from rlm_kernel.sandbox import Event, ExecutionResult

KEEP_ALIVE_SECONDS = 5.0

log = logging.getLogger(__name__)


class EventStream:
    """Bytes of events in their order, at most `limit` of them while nobody takes them.

    Where more would wait, what waits is dropped, the stream ends with a fault, and `on_overflow` is
    called. One event alone may be larger.
    """

    def __init__(self, limit: int) -> None:
        self.on_overflow: Callable[[], object] = lambda: None
        self._limit = limit
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._news = asyncio.Event()

    def observe(self, event: Event) -> None:
        """Adds what a session says."""
        self._add(jupyter_event(event.kind, event.content))

    def conclude(self, cell: asyncio.Future[ExecutionResult]) -> None:
        """Ends the stream with how a cell ended."""
        if not cell.cancelled():
            self._add(_last_event(cell))
        self.end()

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

    def _add(self, data: bytes) -> None:
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
        self._waiting.append(_fault(ReaderTooSlow(reason)))
        self.end()
        self.on_overflow()


def _last_event(cell: asyncio.Future[ExecutionResult]) -> bytes:
    error = cell.exception()
    if error is None:
        result = cell.result()
        fields = {name: getattr(result, name) for name in CellEnd.model_fields}
        return encode("end", CellEnd.model_construct(**fields))
    if isinstance(error, RLMKernelError):
        return _fault(error)
    log.error("a cell could not be executed", exc_info=error)
    return _fault(ManagerError("the manager failed at this; its log has the details"))


def _fault(error: RLMKernelError) -> bytes:
    return encode("fault", fault_of(error))
