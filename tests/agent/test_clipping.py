"""Texts cut to size."""

from __future__ import annotations

import pytest

from rlm_kernel.agent.clipping import ClippedText, clip


@pytest.mark.parametrize("text", ["", "a", "0123456789"])
def test_a_text_within_the_limit_stays_as_it_is(text: str) -> None:
    assert clip(text, 10) == text


def test_a_longer_text_keeps_head_and_tail_and_says_exactly_what_is_missing() -> None:
    assert clip("abcdeXXXXXXXvwxyz", 10) == "abcde\n[... 7 of 17 characters cut here ...]\nvwxyz"


@pytest.mark.parametrize("limit", [100, 101, 333])
def test_written_in_pieces_it_is_cut_as_if_written_at_once(limit: int) -> None:
    text = "".join(chr(0x4E00 + number) for number in range(1_000))
    pieces = ClippedText(limit)
    for at in range(0, len(text), 7):
        pieces.write(text[at : at + 7])
    assert str(pieces) == clip(text, limit)
    assert pieces.cut == 1_000 - limit


def test_memory_is_bounded_by_the_limit() -> None:
    clipped = ClippedText(1_000)
    for _ in range(1_000):
        clipped.write("x" * 10_000)
    assert len(str(clipped)) < 1_100
    assert clipped.cut == 10_000_000 - 1_000
