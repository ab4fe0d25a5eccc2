"""What a cell does, on its way to one client."""

from __future__ import annotations

import asyncio
import logging

from rlm_kernel.errors import ManagerError, RLMKernelError
from rlm_kernel.http import event_stream
from rlm_kernel.http.event_stream import fault_event
from rlm_kernel.http.events import encode
from rlm_kernel.http.handler import FAILED
from rlm_kernel.manager.cell_events import jupyter_event
from rlm_kernel.manager.wire import CellEnd
from rlm_kernel.sandbox import Event, ExecutionResult

log = logging.getLogger(__name__)


class EventStream(event_stream.EventStream):
    """The events of one cell."""

    def observe(self, event: Event) -> None:
        """Adds what a session says."""
        self.add(jupyter_event(event.kind, event.content))

    def conclude(self, cell: asyncio.Future[ExecutionResult]) -> None:
        """Ends the stream with how a cell ended."""
        if not cell.cancelled():
            self.add(_last_event(cell))
        self.end()


def _last_event(cell: asyncio.Future[ExecutionResult]) -> bytes:
    error = cell.exception()
    if error is None:
        result = cell.result()
        fields = {name: getattr(result, name) for name in CellEnd.model_fields}
        return encode("end", CellEnd.model_construct(**fields))
    if isinstance(error, RLMKernelError):
        return fault_event(error)
    log.error("a cell could not be executed", exc_info=error)
    return fault_event(ManagerError(FAILED))
