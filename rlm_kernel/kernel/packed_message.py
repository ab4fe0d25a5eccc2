"""A message as it is kept: its content packed, which takes less memory than what it says."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, replace
from typing import Self

from rlm_kernel.guest.parsed_size import parsed_bytes
from rlm_kernel.kernel.message import Message
from rlm_kernel.kernel.packing import pack, unpack

ENVELOPE_BYTES = 1024
"""What a message takes beside its content and buffers, its headers among it."""


@dataclass(frozen=True, slots=True)
class PackedMessage:
    """`size` is about how many bytes it takes, and as much more as unpacking it takes."""

    _envelope: Message
    _body: bytes
    size: int

    @classmethod
    def of(cls, message: Message) -> Self:
        """Raises ValueError or RecursionError where it cannot be packed."""
        body = pack({"metadata": message.metadata, "content": message.content})
        buffers = sum(map(len, message.buffers))
        size = ENVELOPE_BYTES + len(body) + parsed_bytes(body) + buffers
        return cls(replace(message, metadata={}, content={}), body, size)

    def unpacked(self) -> Message:
        """The message, as JSON has it."""
        return replace(self._envelope, **unpack(self._body))

    def as_json(self) -> bytes:
        """The message as an object, its `buffers` in base64."""
        envelope = {
            "header": self._envelope.header,
            "parent_header": self._envelope.parent_header,
            "buffers": [b64encode(buffer).decode() for buffer in self._envelope.buffers],
        }
        return b"%b, %b" % (pack(envelope)[:-1], self._body[1:])
