"""What a kernel has published, kept for those who attach later."""

from __future__ import annotations

from base64 import b64encode
from collections import deque
from collections.abc import Mapping
from typing import Any

from rlm_kernel.kernel.message import Message
from rlm_kernel.kernel.packing import pack

REPLAY_BYTES = 10 << 20
ENVELOPE_BYTES = 1024
"""What a message takes beside its texts, its headers among it."""


class Replay:
    """A sink that keeps the latest messages, as many as `limit` bytes hold; with 0 it keeps none.

    `dropped` is how many older ones are gone. Sizes are those of texts and buffers, not of JSON.
    """

    def __init__(self, limit: int = REPLAY_BYTES) -> None:
        self.dropped = 0
        self._limit = limit
        self._messages: deque[tuple[Message, int]] = deque()
        self._size = 0

    def copy(self) -> Replay:
        """One that holds the same messages, and goes its own way from now on."""
        copy = Replay(self._limit)
        copy.dropped, copy._size = self.dropped, self._size
        copy._messages = self._messages.copy()
        return copy

    @property
    def messages(self) -> tuple[Message, ...]:
        """The messages that are left, oldest first."""
        return tuple(message for message, _ in self._messages)

    def as_json(self) -> bytes:
        """`{"dropped": COUNT, "messages": [MESSAGE, ...]}`.

        Each message is one of Jupyter's, oldest first, with its `buffers` in base64.
        """
        messages = [
            {
                "header": message.header,
                "parent_header": message.parent_header,
                "metadata": message.metadata,
                "content": message.content,
                "buffers": [b64encode(buffer).decode() for buffer in message.buffers],
            }
            for message in self.messages
        ]
        return pack({"dropped": self.dropped, "messages": messages})

    def publish(self, message: Message) -> None:
        size = ENVELOPE_BYTES + size_of(message.content) + size_of(message.buffers)
        self._messages.append((message, size))
        self._size += size
        while self._size > self._limit:
            self._size -= self._messages.popleft()[1]
            self.dropped += 1

    def drain(self) -> None:
        """It hands over no requests."""


def size_of(value: Any) -> int:
    """About how many bytes a JSON value or bytes take."""
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, Mapping):
        return sum(size_of(key) + size_of(item) + 4 for key, item in value.items())
    if isinstance(value, list | tuple):
        return sum(size_of(item) + 2 for item in value)
    return 8
