"""What a kernel has published, kept for those who attach later."""

from __future__ import annotations

from collections import deque

from rlm_kernel.kernel.message import Message
from rlm_kernel.kernel.packed_message import PackedMessage

REPLAY_BYTES = 10 << 20


class Replay:
    """A sink that keeps the latest messages, as many as `limit` bytes hold; with 0 it keeps none.

    `dropped` is how many others are gone: older ones, and what cannot be packed.
    """

    def __init__(self, limit: int = REPLAY_BYTES) -> None:
        self.dropped = 0
        self._limit = limit
        self._messages: deque[PackedMessage] = deque()
        self._size = 0

    def copy(self) -> Replay:
        """One that holds the same messages, and goes its own way from now on."""
        copy = Replay(self._limit)
        copy.dropped, copy._size = self.dropped, self._size
        copy._messages = self._messages.copy()
        return copy

    @property
    def messages(self) -> tuple[Message, ...]:
        """The messages that are left, oldest first. They are unpacked each time."""
        return tuple(message.unpacked() for message in self._messages)

    def as_json(self) -> bytes:
        """`{"dropped": COUNT, "messages": [MESSAGE, ...]}`.

        Each message is one of Jupyter's, oldest first, with its `buffers` in base64.
        """
        messages = b", ".join(message.as_json() for message in self._messages)
        return b'{"dropped": %d, "messages": [%b]}' % (self.dropped, messages)

    def publish(self, message: Message) -> None:
        try:
            packed = PackedMessage.of(message)
        except (ValueError, RecursionError):  # a guest's, whose other readers fare no better
            self.dropped += 1
            return
        self._messages.append(packed)
        self._size += packed.size
        while self._size > self._limit:
            self._size -= self._messages.popleft().size
            self.dropped += 1

    def drain(self) -> None:
        """It hands over no requests."""
