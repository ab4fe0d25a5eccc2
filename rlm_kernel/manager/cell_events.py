"""What a cell does, as server-sent events: their names and their messages."""

from __future__ import annotations

from typing import Any

from rlm_kernel.http.events import EventMessages, encode
from rlm_kernel.http.messages import Fault, Wire
from rlm_kernel.manager.wire import CellEnd, CellError


class CellStarted(Wire):
    """The cell has come to its turn."""

    execution_count: int


class StreamText(Wire):
    """A piece of what it wrote to a stream, `stdout` or `stderr`."""

    name: str
    text: str


class Display(Wire):
    """Something displayed: representations by their media types, as Jupyter has them."""

    data: dict[str, Any]
    metadata: dict[str, Any]
    transient: dict[str, Any]


class DisplayUpdate(Display):
    """What takes the place of the displays with the same `display_id` in `transient`."""


class CellValue(Wire):
    """The value of the cell's last expression."""

    data: dict[str, Any]
    metadata: dict[str, Any]
    execution_count: int


class OutputCleared(Wire):
    """What was shown so far is to vanish; with `wait`, when the next output comes."""

    wait: bool


CellEvent = (
    CellStarted
    | StreamText
    | Display
    | DisplayUpdate
    | CellValue
    | OutputCleared
    | CellError
    | CellEnd
)

MESSAGE_OF: dict[str, type[Wire]] = {
    "start": CellStarted,
    "stream": StreamText,
    "display": Display,
    "update_display": DisplayUpdate,
    "clear_output": OutputCleared,
    "result": CellValue,
    "error": CellError,
    "end": CellEnd,
    "fault": Fault,
}
"""The message that each event's data is. The last event is `end`, or `fault` when there is none."""

NAME_OF = {
    "execute_input": "start",
    "stream": "stream",
    "display_data": "display",
    "update_display_data": "update_display",
    "clear_output": "clear_output",
    "execute_result": "result",
    "error": "error",
}
"""The event that each kind of Jupyter message becomes; those of other kinds are not told."""

EVENTS = EventMessages(
    "Server-sent events, each with a message on one line as its data: `start` when the cell comes "
    "to its turn, what it does as it does it, and last `end`, or `fault` when there is no end to "
    "tell of. A comment comes every 5 seconds in which nothing else does.",
    MESSAGE_OF,
)


def jupyter_event(kind: str, content: dict[str, Any]) -> bytes:
    """The event that a Jupyter message becomes; nothing where it becomes none."""
    name = NAME_OF.get(kind)
    if name is None:
        return b""
    message = MESSAGE_OF[name]
    fields = {field: content[field] for field in message.model_fields}
    return encode(name, message.model_construct(**fields))  # the session has seen to its form
