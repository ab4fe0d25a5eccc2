"""Comms: what the `comm` package sends and receives here, widgets' state among it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import comm
from comm.base_comm import BaseComm, CommManager

from rlm_kernel.guest.events import Events

Content = dict[str, Any]


class Comms:
    """The registry of the session's comms, and the handler of the messages for them.

    On the line to the owner, both ways, the content of a comm message also holds the `metadata`
    that the Jupyter message has beside its content.
    """

    def __init__(self, events: Events) -> None:
        self._events = events
        self._manager = CommManager()
        comm.get_comm_manager = lambda: self._manager
        comm.create_comm = self._create

    def handle(self, kind: str, content: Content, buffers: Sequence[bytes]) -> Content:
        """Calls the handler of a comm message; what that raises is logged."""
        fields = dict(content)
        metadata, header = fields.pop("metadata", {}), fields.pop("header", {})
        message = {
            "header": header,
            "parent_header": {},
            "metadata": metadata,
            "content": {"data": {}, **fields},
            "buffers": [memoryview(buffer) for buffer in buffers],
        }
        handler: Callable[..., None] = getattr(self._manager, kind)
        handler(None, None, message)
        return {"status": "ok"}

    def info(self, content: Content) -> Content:
        """The open comms, those of one target where the request names one."""
        wanted = content.get("target_name")
        comms = {
            comm_id: {"target_name": open_comm.target_name}
            for comm_id, open_comm in self._manager.comms.items()
            if wanted in (None, "", open_comm.target_name)
        }
        return {"status": "ok", "comms": comms}

    def _create(self, *arguments: Any, **options: Any) -> BaseComm:
        return SessionComm(self._events, *arguments, **options)


class SessionComm(BaseComm):
    """A comm whose messages are events of the running request."""

    def __init__(self, events: Events, *arguments: Any, **options: Any) -> None:
        self._events = events
        super().__init__(*arguments, **options)

    def publish_msg(
        self,
        msg_type: str,
        data: Content | None = None,
        metadata: Content | None = None,
        buffers: Sequence[bytes | memoryview] | None = None,
        **keys: Any,
    ) -> None:
        content = {"comm_id": self.comm_id, "data": data or {}, "metadata": metadata or {}, **keys}
        self._events.emit(msg_type, content, [bytes(buffer) for buffer in buffers or ()])
