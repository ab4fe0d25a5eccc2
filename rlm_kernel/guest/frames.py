"""Frames: what a session and its owner say to each other over a stream of bytes.

A frame is a kind, the id of the request it belongs to, a JSON object, and binary buffers. On the
wire: `u32` bytes that follow, `u32` bytes of header, the header as JSON, the buffers one after
another (little endian). The header is `[kind, request_id, content, [buffer lengths]]`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from struct import Struct
from typing import Any

from rlm_kernel.guest.parsed_size import parsed_bytes

_LENGTHS = Struct("<II")
FRAME_MAX = 64 << 20
"""Holds the buffers of a large widget. It is also what one session can make its owner keep of a
frame that never ends."""

HEADER_MAX = 8 << 20
"""Parsed JSON takes many times its length in memory, so headers have a limit of their own."""

BUFFERS_MAX = 1 << 16


class FrameError(ValueError):
    """Bytes that are not a frame, or content that cannot be made into one."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Of a frame that came over the wire `wire_bytes` is how long it was, and `weight` what it
    counts by: that, and what its content takes once it is parsed."""

    kind: str
    request_id: str
    content: dict[str, Any]
    buffers: tuple[bytes, ...] = ()
    wire_bytes: int = field(default=0, compare=False)
    weight: int = field(default=0, compare=False)

    def encode(self) -> bytes:
        """The frame as it goes over the wire. `FrameError` where it is too large or not JSON."""
        try:
            content = json.dumps(self.content).encode()
        except (ValueError, TypeError, RecursionError) as error:
            raise FrameError(f"the content of a frame is not JSON: {error}") from None
        return encoded(self.kind, self.request_id, content, self.buffers)


def encoded(kind: str, request_id: str, content: bytes, buffers: Sequence[bytes] = ()) -> bytes:
    """A frame whose content is JSON already. `FrameError` where it is too large."""
    lengths = [len(buffer) for buffer in buffers]
    if len(lengths) > BUFFERS_MAX:
        raise FrameError(f"a frame of {len(lengths)} buffers is over the limit")
    names = json.dumps([kind, request_id])[:-1].encode()
    header = b"%b, %b, %b]" % (names, content, str(lengths).encode())
    if len(header) > HEADER_MAX:
        raise FrameError(f"{len(header):,} bytes are over the limit of {HEADER_MAX:,}")
    _parsed_bytes(header)
    total = 4 + len(header) + sum(lengths)
    if total > FRAME_MAX:
        raise FrameError(f"{total:,} bytes are over the limit of {FRAME_MAX:,}")
    return b"".join((_LENGTHS.pack(total, len(header)), header, *buffers))


class FrameDecoder:
    """Turns bytes, in whatever pieces they come, into frames."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that these bytes complete. `FrameError` where they cannot be frames."""
        pending = self._pending
        pending += data
        start = 0
        try:
            while len(pending) - start >= _LENGTHS.size:
                total, header_length = _LENGTHS.unpack_from(pending, start)
                if total > FRAME_MAX or header_length > min(total - 4, HEADER_MAX):
                    raise FrameError("the lengths of a frame are wrong")
                end = start + 4 + total
                if len(pending) < end:
                    return
                body = bytes(memoryview(pending)[start + _LENGTHS.size : end])
                start = end
                yield _decode(body[:header_length], memoryview(body)[header_length:])
        finally:
            del pending[:start]  # once for all, and also where not all were asked for


def _parsed_bytes(header: bytes) -> int:
    try:
        return parsed_bytes(header)
    except ValueError as error:
        raise FrameError(str(error)) from None


def _decode(header: bytes, rest: memoryview) -> Frame:
    parsed = _parsed_bytes(header)
    try:
        text = header.decode("utf-8", "surrogatepass")  # json would guess the encoding first
        kind, request_id, content, lengths = json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise FrameError(f"the header of a frame is wrong: {error}") from None
    typed = isinstance(kind, str) and isinstance(request_id, str) and isinstance(content, dict)
    if not typed or not _fits(lengths, len(rest)):
        raise FrameError("the header of a frame has the wrong form")
    buffers: list[bytes] = []
    start = 0
    for length in lengths:
        buffers.append(bytes(rest[start : start + length]))
        start += length
    wire_bytes = 2 * 4 + len(header) + len(rest)
    return Frame(kind, request_id, content, tuple(buffers), wire_bytes, wire_bytes + parsed)


def _fits(lengths: object, available: int) -> bool:
    return (
        isinstance(lengths, list)
        and len(lengths) <= BUFFERS_MAX
        and all(type(length) is int and length >= 0 for length in lengths)
        and sum(lengths) == available
    )
