"""Server-sent events: their bytes, and what a description says of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from rlm_kernel.http.messages import as_json

MEDIA_TYPE = "text/event-stream"

KEEP_ALIVE = b": keep-alive\n\n"

_END = b"\n\n"


@dataclass(frozen=True, slots=True)
class EventMessages:
    """What a stream is made of: `about` it, and the message that each event's data is."""

    about: str
    message_of: Mapping[str, type[BaseModel]]


def encode(name: str, message: BaseModel) -> bytes:
    """One event as it goes over the wire."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), as_json(message))


class EventDecoder:
    """Turns bytes of a stream, in whatever pieces they come, into names and data of events."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[str, bytes]]:
        """The events that these bytes complete; comments are none."""
        begin, searched = 0, max(0, len(self._pending) - 1)
        self._pending += data
        while (end := self._pending.find(_END, searched)) >= 0:
            name, content = _fields(bytes(self._pending[begin:end]))
            begin = searched = end + len(_END)
            if content:
                yield name, content
        del self._pending[:begin]


def _fields(lines: bytes) -> tuple[str, bytes]:
    """The name of an event, and its data on one line."""
    fields = dict(line.partition(b": ")[::2] for line in lines.split(b"\n"))
    return fields.get(b"event", b"").decode(errors="replace"), fields.get(b"data", b"")
