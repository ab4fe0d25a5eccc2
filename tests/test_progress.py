"""Progress: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io

import pytest

from rlm_kernel.progress import SILENT, Bar, Lines, progress_for


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar() -> None:
    stream = Terminal()
    with progress_for(stream).step("model.gguf", 2000, done=500) as advance:
        advance(1500)
    assert "model.gguf: 100%" in stream.getvalue()
    assert "2.00k/2.00k" in stream.getvalue()


def test_a_line_on_a_terminal_is_not_torn_by_a_bar() -> None:
    stream = Terminal()
    bar = Bar(stream)
    with bar.step("model.gguf", 2000):
        bar.say("waiting")
    assert "waiting\n" in stream.getvalue()


def test_anything_else_gets_plain_lines() -> None:
    stream = io.StringIO()
    with progress_for(stream).step("model.gguf", 2_000_000, done=500_000) as advance:
        advance(1_500_000)
    assert stream.getvalue() == "model.gguf: 25% of 2.0 MB\nmodel.gguf: 100% of 2.0 MB\n"


def test_plain_lines_come_every_few_seconds_and_not_with_every_byte() -> None:
    stream = io.StringIO()
    now = 0.0
    with Lines(stream, clock=lambda: now).step("x", 100) as advance:
        for _ in range(50):
            advance(1)
        now = 6.0
        advance(1)
        advance(1)
    assert [line.split()[1] for line in stream.getvalue().splitlines()] == ["0%", "51%", "52%"]


def test_an_empty_file_is_all_there() -> None:
    stream = io.StringIO()
    with Lines(stream).step("empty", 0):
        pass
    assert "100%" in stream.getvalue()


def test_silence_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    SILENT.say("hello")
    with SILENT.step("x", 1) as advance:
        advance(1)
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")
