"""Frames of the WebSocket: the same as Jupyter Server's own, and never more than a ValueError."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlm_kernel.kernel import Channel, Message
from rlm_kernel.manager.jupyter.framing import Frame, decode, encode
from tests.manager.jupyter.socket_client import framing

HEADER = {"msg_id": "1", "msg_type": "execute_request", "session": "s", "username": ""}
PARTS: list[dict[str, Any]] = [HEADER, {}, {"a": 1}, {"code": "ä"}]
MESSAGE = Message(HEADER, {"code": "ä"}, {}, {"a": 1})
WITH_BUFFERS = Message(HEADER, {"code": "ä"}, {}, {"a": 1}, (b"", b"xyz", b"\0" * 300))
WHOLE = dict(zip(("header", "parent_header", "metadata", "content"), PARTS, strict=True))


def parts(*changed: tuple[int, bytes]) -> list[bytes]:
    packed = [json.dumps(part).encode() for part in PARTS]
    for place, part in changed:
        packed[place] = part
    return packed


def v1(packed: list[bytes], channel: str = "shell") -> bytes:
    frame: bytes = framing.serialize_msg_to_ws_v1(packed, channel)
    return frame


def text(**changes: Any) -> str:
    return json.dumps({**WHOLE, "channel": "shell", **changes})


@pytest.mark.parametrize("message", [MESSAGE, WITH_BUFFERS])
@pytest.mark.parametrize("is_v1", [True, False])
def test_what_is_encoded_is_decoded(message: Message, is_v1: bool) -> None:
    assert decode(encode(message, "control", v1=is_v1), v1=is_v1) == ("control", message)


@pytest.mark.parametrize("message", [MESSAGE, WITH_BUFFERS])
def test_jupyters_own_code_reads_v1(message: Message) -> None:
    channel, read = framing.deserialize_msg_from_ws_v1(encode(message, "iopub", v1=True))
    assert channel == "iopub"
    assert [json.loads(part) for part in read[:4]] == PARTS
    assert tuple(read[4:]) == message.buffers


def test_jupyters_own_code_reads_what_came_before_v1() -> None:
    frame = encode(WITH_BUFFERS, "iopub", v1=False)
    read = framing.deserialize_binary_message(frame)
    assert {name: read[name] for name in WHOLE} == WHOLE
    assert tuple(read["buffers"]) == WITH_BUFFERS.buffers
    assert (read["channel"], read["msg_type"]) == ("iopub", "execute_request")


def test_a_message_without_a_channel_is_for_the_shell() -> None:
    assert decode(json.dumps(WHOLE), v1=False) == ("shell", MESSAGE)


BROKEN_V1: dict[str, Frame] = {
    "text": text(),
    "nothing": b"",
    "too short for a count": b"\1\0\0",
    "no offsets": struct.pack("<Q", 0),
    "more offsets than fit": struct.pack("<QQ", 1 << 60, 24),
    "an offset beyond the end": struct.pack("<QQQ", 2, 24, 1 << 40),
    "descending offsets": struct.pack("<QQQQ", 3, 40, 32, 40) + b"x" * 8,
    "too few parts": v1(parts()[:3]),
    "no JSON": v1(parts((3, b"{"))),
    "bytes that are no text": v1(parts((3, b"\xff"))),
    "a number too long to read": v1(parts((3, b"1" * 10_000))),
    "nested too deeply": v1(parts((3, b"[" * 100_000))),
    "a list for a header": v1(parts((0, b"[]"))),
    "no type": v1(parts((0, b'{"msg_id": "1"}'))),
    "a channel of the kernel": v1(parts(), "iopub"),
    "no channel": v1(parts(), "x" * 1000),
}
BROKEN_LEGACY: dict[str, Frame] = {
    "nothing": "",
    "no JSON": "{",
    "a list": "[]",
    "nested too deeply": "[" * 100_000,
    "a list for a channel": text(channel=[]),
    "a channel of the kernel": text(channel="iopub"),
    "no header": text(header=None),
    "too short for a count": b"\0",
    "no offsets": struct.pack("!I", 0),
    "more offsets than fit": struct.pack("!II", 1 << 31, 8),
    "an offset beyond the end": struct.pack("!II", 1, 1 << 31),
    "no JSON behind the offsets": struct.pack("!II", 1, 8) + b"{",
}
BROKEN = [(True, frame) for frame in BROKEN_V1.values()] + [
    (False, frame) for frame in BROKEN_LEGACY.values()
]


@pytest.mark.parametrize(("is_v1", "frame"), BROKEN, ids=[*BROKEN_V1, *BROKEN_LEGACY])
def test_what_is_broken_is_refused(is_v1: bool, frame: Frame) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - its text is for the log alone
        decode(frame, v1=is_v1)


def decoded(frame: Frame, is_v1: bool) -> tuple[Channel, Message] | None:
    try:
        return decode(frame, v1=is_v1)
    except ValueError:
        return None


@given(st.binary(max_size=200) | st.text(max_size=200), st.booleans())
def test_any_frame_is_a_message_or_refused(frame: Frame, is_v1: bool) -> None:
    assert decoded(frame, is_v1) is None


@given(st.integers(0, 400), st.binary(max_size=9), st.booleans())
def test_a_damaged_frame_is_a_message_or_refused(place: int, damage: bytes, is_v1: bool) -> None:
    whole = encode(WITH_BUFFERS, "shell", v1=is_v1)
    assert isinstance(whole, bytes)
    frame = whole[:place] + damage + whole[place + len(damage) :]
    result = decoded(frame, is_v1)
    assert result is None or sum(map(len, result[1].buffers)) <= len(frame)
