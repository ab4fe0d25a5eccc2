"""LEB128, written and read back."""

from __future__ import annotations

import pytest

from rlm_kernel.errors import MalformedModule
from rlm_kernel.wasm.leb128 import signed, unsigned
from rlm_kernel.wasm.reader import Reader


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (0, b"\0"),
        (127, b"\x7f"),
        (128, b"\x80\1"),
        (624485, b"\xe5\x8e\x26"),
        (2**32 - 1, b"\xff\xff\xff\xff\x0f"),
    ],
)
def test_unsigned_integers_are_written_short_and_read_back(value: int, encoded: bytes) -> None:
    assert unsigned(value) == encoded
    assert Reader(encoded).u32() == value


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (0, b"\0"),
        (-1, b"\x7f"),
        (63, b"\x3f"),
        (64, b"\xc0\0"),
        (-64, b"\x40"),
        (-65, b"\xbf\x7f"),
        (-123456, b"\xc0\xbb\x78"),
    ],
)
def test_signed_integers_are_written_short_and_read_back(value: int, encoded: bytes) -> None:
    assert signed(value) == encoded
    assert Reader(encoded).s32() == value


@pytest.mark.parametrize("value", [-(2**63), 2**63 - 1, -(2**31) - 1, 2**32])
def test_signed_integers_have_the_range_of_their_width(value: int) -> None:
    assert Reader(signed(value)).s64() == value
    with pytest.raises(MalformedModule, match="32 bits"):
        Reader(signed(value)).s32()


def test_integers_may_be_padded_to_the_length_of_their_width() -> None:
    assert Reader(b"\x81\x80\x80\x80\0").u32() == 1
    assert Reader(b"\xff\xff\xff\xff\x7f").s32() == -1
    assert Reader(b"\x80\x80\x80\x80\x70").s33() == -(2**32)


@pytest.mark.parametrize(
    ("encoded", "message"),
    [
        (b"\x80", "unexpected end"),
        (b"\x80\x80\x80\x80\x80\0", "longer than 32 bits"),
        (b"\xff\xff\xff\xff\x1f", "exceeds 32 bits"),
    ],
)
def test_integers_that_break_the_format_are_errors(encoded: bytes, message: str) -> None:
    with pytest.raises(MalformedModule, match=message):
        Reader(encoded, base=5).u32()
