"""What everyone attached to a kernel is told."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from rlm_kernel.kernel.message import Content, Header, Message, Mint
from rlm_kernel.kernel.sink import Sink

State = Literal["starting", "idle", "busy"]

log = logging.getLogger(__name__)


class Publisher:
    """Hands every iopub message to every sink, whatever the others do with it."""

    def __init__(self, mint: Mint) -> None:
        self._mint = mint
        self._sinks: list[Sink] = []
        self._complained = False

    def attach(self, sink: Sink) -> None:
        self._sinks.append(sink)

    def detach(self, sink: Sink) -> None:
        """Does nothing when the sink is not attached."""
        if sink in self._sinks:
            self._sinks.remove(sink)

    def publish(
        self,
        kind: str,
        content: Content,
        parent: Header | None,
        buffers: Sequence[bytes] = (),
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        if not self._sinks:
            return
        message = self._mint.message(kind, content, parent, metadata=metadata, buffers=buffers)
        for sink in tuple(self._sinks):
            self._give(sink, message)

    def status(self, state: State, parent: Header | None = None) -> None:
        self.publish("status", {"execution_state": state}, parent)

    def drain(self) -> None:
        """Has every sink hand over the requests that have already arrived."""
        for sink in tuple(self._sinks):
            sink.drain()

    def _give(self, sink: Sink, message: Message) -> None:
        try:
            sink.publish(message)
        except Exception:
            # A guest may have written what no sink can pack, any number of times.
            level = logging.DEBUG if self._complained else logging.ERROR
            self._complained = True
            log.log(level, "a sink failed on %s", message.kind, exc_info=True)
