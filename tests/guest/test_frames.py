"""Frames: what goes in comes out, in whatever pieces; what is no frame is refused."""

from __future__ import annotations

import json
import random
import tracemalloc
from struct import Struct
from typing import Any

import pytest

from rlm_kernel.guest import frames
from rlm_kernel.guest.frames import BUFFERS_MAX, Frame, FrameDecoder, FrameError
from rlm_kernel.guest.parsed_size import NODES_MAX

LENGTHS = Struct("<II")

FRAMES = [
    Frame("kind", "", {}),
    Frame("stream", "request-1", {"name": "stdout", "text": "a\n"}),
    Frame("é", "\U0001f600", {"deep": [{"a": [None, True, 1.5, -7, "\ud800", "\0"]}]}),
    Frame("data", "x", {"n": 10**100}, (b"", b"\0\xff", b"x" * 3000, b"")),
    Frame("many", "y", {}, (b"z",) * 1000),
]


def packed(header: bytes, rest: bytes = b"", *, total: int = -1, header_length: int = -1) -> bytes:
    """The bytes of a frame whose lengths are right unless they are given."""
    right = 4 + len(header) + len(rest), len(header)
    lengths = (total if total >= 0 else right[0], header_length if header_length >= 0 else right[1])
    return LENGTHS.pack(*lengths) + header + rest


def headed(*fields: Any, rest: bytes = b"") -> bytes:
    return packed(json.dumps(fields).encode(), rest)


def refused(data: bytes) -> FrameError:
    with pytest.raises(FrameError) as caught:
        list(FrameDecoder().feed(data))
    return caught.value


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: frame.kind)
def test_a_frame_comes_out_as_it_went_in(frame: Frame) -> None:
    assert list(FrameDecoder().feed(frame.encode())) == [frame]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 64, 1000, 1 << 20])
def test_pieces_of_any_size_make_the_same_frames(size: int) -> None:
    data = b"".join(frame.encode() for frame in FRAMES)
    decoder = FrameDecoder()
    found = [
        frame
        for start in range(0, len(data), size)
        for frame in decoder.feed(data[start : start + size])
    ]
    assert found == FRAMES


def test_pieces_of_random_sizes_make_the_same_frames() -> None:
    rng = random.Random(7)
    data = b"".join(frame.encode() for frame in FRAMES * 5)
    decoder, found, start = FrameDecoder(), [], 0
    while start < len(data):
        end = start + rng.choice((0, 1, 5, 100, 4000))
        found += list(decoder.feed(data[start:end]))
        start = end
    assert found == FRAMES * 5


def test_a_frame_is_given_with_its_last_byte_and_not_before() -> None:
    data = FRAMES[3].encode()
    decoder = FrameDecoder()
    assert list(decoder.feed(data[:-1])) == []
    assert list(decoder.feed(b"")) == []
    assert list(decoder.feed(data[-1:])) == [FRAMES[3]]


def test_frames_before_a_bad_one_are_given() -> None:
    found = FrameDecoder().feed(FRAMES[0].encode() + FRAMES[1].encode() + b"\0" * 8)
    assert [next(found), next(found)] == FRAMES[:2]
    with pytest.raises(FrameError):
        next(found)


def test_after_a_bad_frame_nothing_is_believed() -> None:
    decoder = FrameDecoder()
    with pytest.raises(FrameError):
        list(decoder.feed(b"\0" * 8))
    with pytest.raises(FrameError):
        list(decoder.feed(FRAMES[0].encode()))


def test_the_wire_is_what_is_documented() -> None:
    data = Frame("k", "r", {"a": 1}, (b"xy", b"z")).encode()
    total, header_length = LENGTHS.unpack_from(data)
    header = data[8 : 8 + header_length]
    assert json.loads(header) == ["k", "r", {"a": 1}, [2, 1]]
    assert data[8 + header_length :] == b"xyz"
    assert total == len(data) - 4


@pytest.mark.parametrize("total", [0, 1, 3])
def test_a_frame_too_short_for_its_own_lengths_is_refused(total: int) -> None:
    refused(LENGTHS.pack(total, 0))


def test_a_frame_over_the_limit_is_refused_before_it_arrives() -> None:
    for total in (frames.FRAME_MAX + 1, 0xFFFFFFFF):
        refused(LENGTHS.pack(total, 2))


def test_a_header_longer_than_its_frame_is_refused_before_it_arrives() -> None:
    refused(LENGTHS.pack(100, 97))
    refused(LENGTHS.pack(100, 0xFFFFFFFF))


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"{",
        b"\xff\xfe\x00",
        b"nonsense",
        b"1",
        b"null",
        b'"abcd"',
        b"[]",
        b'["k", "r", {}]',
        b'["k", "r", {}, [], 5]',
        b'{"a": 1, "b": 2, "c": 3, "d": 4}',
        b'["k", "r", {}, []] more',
        b'["k", "r", {}, ' + b"9" * 5000 + b"]",
        b'["k", "r", {"a": ' + b"[" * 200_000 + b"]" * 200_000 + b"}, []]",
        b"[" * 1_000_000,
        b'{"a":' * 200_000,
    ],
    ids=lambda header: str(header[:20]),
)
def test_a_header_that_is_none_is_refused(header: bytes) -> None:
    refused(packed(header))


@pytest.mark.parametrize(
    "fields",
    [
        (1, "r", {}, []),
        ("k", None, {}, []),
        ("k", "r", [], []),
        ("k", "r", "text", []),
        ("k", "r", None, []),
        ("k", "r", {}, None),
        ("k", "r", {}, {}),
        ("k", "r", {}, "0"),
        ("k", "r", {}, 0),
    ],
    ids=str,
)
def test_a_header_of_another_form_is_refused(fields: tuple[Any, ...]) -> None:
    refused(headed(*fields))


@pytest.mark.parametrize(
    "lengths",
    [[3], [1, 2], [5], [4, 1], [-1, 5], [4.0], ["4"], [None, 4], [True, 3], [[4]], [10**400], []],
    ids=str,
)
def test_lengths_that_do_not_add_up_to_the_buffers_are_refused(lengths: list[Any]) -> None:
    refused(headed("k", "r", {}, lengths, rest=b"1234"))


def test_lengths_that_add_up_are_taken_apart() -> None:
    [frame] = FrameDecoder().feed(headed("k", "r", {}, [0, 1, 0, 3], rest=b"1234"))
    assert frame.buffers == (b"", b"1", b"", b"234")


def test_more_buffers_than_a_frame_can_have_are_refused_both_ways() -> None:
    refused(headed("k", "r", {}, [0] * (BUFFERS_MAX + 1)))
    with pytest.raises(FrameError, match="buffers"):
        Frame("k", "r", {}, (b"",) * (BUFFERS_MAX + 1)).encode()
    [frame] = FrameDecoder().feed(Frame("k", "r", {}, (b"",) * BUFFERS_MAX).encode())
    assert len(frame.buffers) == BUFFERS_MAX


def test_a_large_claim_takes_no_memory() -> None:
    tracemalloc.start()
    try:
        assert list(FrameDecoder().feed(LENGTHS.pack(frames.FRAME_MAX, 1000) + b"[")) == []
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20


def test_a_frame_over_the_limit_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(Frame("k", "r", {}, (b"x" * 100,)).encode())
    monkeypatch.setattr(frames, "FRAME_MAX", size - 4)
    data = Frame("k", "r", {}, (b"x" * 100,)).encode()
    assert len(list(FrameDecoder().feed(data))) == 1
    with pytest.raises(FrameError, match="limit"):
        Frame("k", "r", {}, (b"x" * 101,)).encode()


def circular() -> dict[str, Any]:
    content: dict[str, Any] = {}
    content["self"] = content
    return content


def nested(depth: int) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for _ in range(depth):
        content = {"a": content}
    return content


@pytest.mark.parametrize(
    "content",
    [{"a": object()}, {"a": b"bytes"}, {("a",): 1}, {"a": {1, 2}}, circular(), nested(100_000)],
    ids=["object", "bytes", "key", "set", "circular", "deep"],
)
def test_content_that_is_no_json_is_not_made_into_a_frame(content: dict[str, Any]) -> None:
    with pytest.raises(FrameError):
        Frame("k", "r", content).encode()


def test_random_bytes_are_frames_or_refused() -> None:
    rng = random.Random(1)
    valid = FRAMES[3].encode()
    for _ in range(2000):
        damaged = bytearray(valid)
        for _ in range(rng.randint(1, 4)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        try:
            found = list(FrameDecoder().feed(bytes(damaged)))
        except FrameError:
            continue
        assert all(isinstance(frame, Frame) for frame in found)


def test_a_header_may_hold_so_many_lists_objects_and_fields_and_no_more() -> None:
    allowed = NODES_MAX - 5  # the header's own, its content's and its lengths'
    content: dict[str, Any] = {"data": [[]] * allowed}
    encoded = Frame("k", "r", content).encode()
    assert [frame.content for frame in FrameDecoder().feed(encoded)] == [content]
    with pytest.raises(FrameError, match="lists"):
        Frame("k", "r", {"data": [[]] * (allowed + 1)}).encode()
    header = encoded[8:].replace(b'"k"', b'["k"]', 1)
    forged = LENGTHS.pack(4 + len(header), len(header)) + header
    with pytest.raises(FrameError, match="lists"):
        list(FrameDecoder().feed(forged))


def test_a_frame_weighs_what_its_content_takes_once_it_is_parsed() -> None:
    def weight(content: dict[str, Any]) -> tuple[int, int]:
        encoded = Frame("k", "r", content).encode()
        [frame] = FrameDecoder().feed(encoded)
        assert frame.wire_bytes == len(encoded)
        return frame.weight, len(encoded)

    small, length = weight({"name": "stdout", "text": "[:{" * 1000})
    assert small == length
    many, length = weight({"data": [[]] * 1000})
    assert many > 20 * length
