"""Kernel messages in WebSocket frames: Jupyter's subprotocol v1, and the form before it.

Both are described in jupyter_server's developer documentation ("WebSocket protocols"). What a
client sends is checked here: every offset lies inside of its frame, in ascending order.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, Literal

from rlm_kernel.kernel import Channel, Message
from rlm_kernel.kernel.packing import pack, unpack

V1 = "v1.kernel.websocket.jupyter.org"
PARTS = ("header", "parent_header", "metadata", "content")
INBOUND = ("shell", "control", "stdin")
MAX_PARTS = 1024

Frame = bytes | str


def encode(message: Message, channel: Channel, *, v1: bool) -> Frame:
    """The frame that carries a message; one of text is a `str`."""
    if v1:
        parts = [pack(getattr(message, name)) for name in PARTS]
        return _V1.join([channel.encode(), *parts, *message.buffers])
    whole = {name: getattr(message, name) for name in PARTS}
    whole |= {"channel": channel, "msg_id": message.id, "msg_type": message.kind}
    if not message.buffers:
        return pack(whole | {"buffers": []}).decode()
    return _LEGACY.join([pack(whole), *message.buffers])


def decode(frame: Frame, *, v1: bool) -> tuple[Channel, Message]:
    """The channel and the message of a frame. Raises ValueError."""
    try:
        channel, parts = _decode_v1(frame) if v1 else _decode_legacy(frame)
    except RecursionError as error:
        raise ValueError("the message is nested too deeply") from error
    if channel not in INBOUND:
        raise ValueError(f"no message comes in on the channel {str(channel)[:40]!r}")
    return channel, Message.from_wire(parts)


def _decode_v1(frame: Frame) -> tuple[Any, dict[str, Any]]:
    if isinstance(frame, str):
        raise ValueError("a frame of this subprotocol is binary")
    channel, *parts = _V1.split(frame)
    if len(parts) < len(PARTS):
        raise ValueError(f"{len(parts)} parts are too few")
    values = {name: unpack(part) for name, part in zip(PARTS, parts, strict=False)}
    return channel.decode(), values | {"buffers": parts[len(PARTS) :]}


def _decode_legacy(frame: Frame) -> tuple[Any, dict[str, Any]]:
    if isinstance(frame, str):
        whole, buffers = unpack(frame), list[bytes]()
    else:
        first, *buffers = _LEGACY.split(frame)
        whole = unpack(first)
    if not isinstance(whole, dict):
        raise ValueError("the message is not an object")
    # A client of long ago names no channel.
    return whole.get("channel", "shell"), whole | {"buffers": buffers}


@dataclass(frozen=True, slots=True)
class Layout:
    """Parts behind a list of where they begin, and, with `ends`, of where the last one ends.

    The list is preceded by its own length; `number` is the `struct` format of all its numbers.
    """

    number: Literal["<Q", "!I"]
    ends: bool

    def join(self, parts: Sequence[bytes]) -> bytes:
        sizes = [self._size * (1 + len(parts) + self.ends), *map(len, parts)]
        offsets = list(accumulate(sizes if self.ends else sizes[:-1]))
        numbers = [struct.pack(self.number, number) for number in (len(offsets), *offsets)]
        return b"".join([*numbers, *parts])

    def split(self, frame: bytes) -> list[bytes]:
        """Raises ValueError where the list does not describe the frame."""
        if len(frame) < self._size:
            raise ValueError("the frame is too short")
        count = self._at(frame, 0)
        if not 1 <= count <= min(MAX_PARTS, len(frame) // self._size - 1):
            raise ValueError(f"{count} offsets do not fit in the frame")
        offsets = [self._at(frame, place) for place in range(1, count + 1)]
        bounds = offsets if self.ends else [*offsets, len(frame)]
        if bounds != sorted(bounds) or bounds[-1] > len(frame):
            raise ValueError("the offsets are not those of the frame's parts")
        return [frame[start:end] for start, end in pairwise(bounds)]

    def _at(self, frame: bytes, place: int) -> int:
        number: int = struct.unpack_from(self.number, frame, place * self._size)[0]
        return number

    @property
    def _size(self) -> int:
        return struct.calcsize(self.number)


_V1, _LEGACY = Layout("<Q", ends=True), Layout("!I", ends=False)
