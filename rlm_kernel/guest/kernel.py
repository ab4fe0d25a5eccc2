"""`get_ipython().kernel`: what cells have come to use of ipykernel's kernel."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any

import comm

from rlm_kernel.guest.events import Events

Content = dict[str, Any]

current_header: ContextVar[Content] = ContextVar("current_header")
"""The header of the client's message whose code is running, where it came from a client."""

DEFAULTS: dict[str, Content] = {
    "clear_output": {"wait": False},
    "display_data": {"data": {}, "metadata": {}, "transient": {}},
    "execute_result": {"data": {}, "metadata": {}, "execution_count": 0},
    "stream": {"name": "stdout", "text": ""},
    "update_display_data": {"data": {}, "metadata": {}, "transient": {}},
}
"""What may be sent, each with the fields that it must have."""

STREAMS = ("stdout", "stderr")


class KernelHandle:
    """Tells which message is being served, and publishes messages on its behalf."""

    iopub_socket = "iopub"

    def __init__(self, events: Events) -> None:
        self.session = PublishingSession(events)

    @property
    def comm_manager(self) -> Any:
        """The registry of comms and of the targets that clients may open."""
        return comm.get_comm_manager()

    def get_parent(self, channel: str | None = None) -> Content:
        """The message that is being served: its header."""
        return {"header": current_header.get({})}


class PublishingSession:
    """The `send` of `jupyter_client.session.Session`, for what goes to everyone attached."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def send(
        self,
        stream: object,
        msg_or_type: str,
        content: Content | None = None,
        parent: object = None,
        ident: object = None,
        buffers: Sequence[bytes] | None = None,
        **_unused: Any,
    ) -> None:
        """Publishes a message of one of the types in `DEFAULTS`; ValueError for any other.

        Of a stream only its name and its text go out.
        """
        if msg_or_type not in DEFAULTS:
            raise ValueError(f"a cell cannot send {msg_or_type!r} messages")
        fields = {**DEFAULTS[msg_or_type], **(content or {})}
        if msg_or_type != "stream":
            self._events.emit(msg_or_type, fields, buffers or ())
        elif fields["name"] in STREAMS:
            self._events.write(fields["name"], str(fields["text"]))
        else:
            raise ValueError(f"there is no stream {fields['name']!r}")
