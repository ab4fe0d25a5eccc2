"""Lines of standard input, whatever is behind it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import termios
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rlm_kernel.cli import keyboard as module
from rlm_kernel.cli.keyboard import Keyboard


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The writing end of what is standard input here."""
    reading, writing = os.pipe()
    monkeypatch.setattr(module, "_STDIN", reading)
    yield writing
    for descriptor in (reading, writing):
        with contextlib.suppress(OSError):  # the test closed it
            os.close(descriptor)


def test_lines_come_one_by_one_and_the_last_needs_no_end(pipe: int) -> None:
    async def scenario() -> None:
        keyboard = Keyboard()
        os.write(pipe, "eins\r\nzwäi\n\nlast".encode())
        os.close(pipe)
        lines = [await keyboard.line() for _ in range(5)]
        assert lines == ["eins", "zwäi", "", "last", None]
        assert await keyboard.line() is None

    asyncio.run(scenario())


def test_the_loop_goes_on_while_nobody_types(pipe: int) -> None:
    async def scenario() -> None:
        waiting = asyncio.ensure_future(Keyboard().line())
        await asyncio.sleep(0)
        assert not waiting.done()
        os.write(pipe, b"x\n")
        assert await waiting == "x"

    asyncio.run(scenario())


def test_what_is_typed_for_a_question_taken_back_answers_the_next(pipe: int) -> None:
    async def scenario() -> None:
        keyboard = Keyboard()
        first = asyncio.ensure_future(keyboard.line())
        await asyncio.sleep(0)
        first.cancel()
        os.write(pipe, b"x\n")
        assert await keyboard.line() == "x"

    asyncio.run(scenario())


def test_a_plain_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lines").write_text("a\nb\n")
    with (tmp_path / "lines").open() as file:
        monkeypatch.setattr(module, "_STDIN", file.fileno())

        async def scenario() -> None:
            keyboard = Keyboard()
            assert [await keyboard.line(hidden=True) for _ in range(3)] == ["a", "b", None]

        asyncio.run(scenario())


def test_a_closed_input_is_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    os.close(writing)
    monkeypatch.setattr(module, "_STDIN", reading)
    assert asyncio.run(Keyboard().line()) is None


def test_a_terminal_does_not_echo_what_is_hidden_and_does_so_again_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, theirs = pty.openpty()
    monkeypatch.setattr(module, "_STDIN", theirs)

    def echoes() -> bool:
        return bool(termios.tcgetattr(theirs)[3] & termios.ECHO)

    async def scenario() -> None:
        typed = asyncio.ensure_future(Keyboard().line(hidden=True))
        await asyncio.sleep(0)
        assert not echoes()
        os.write(ours, b"s3cret\n")
        assert await typed == "s3cret"
        assert echoes()
        given_up = asyncio.ensure_future(Keyboard().line(hidden=True))
        await asyncio.sleep(0)
        assert not echoes()
        given_up.cancel()
        await asyncio.wait({given_up})
        assert echoes()

    asyncio.run(scenario())
    os.write(ours, b"\n")  # lets the thread that still reads end
    while any(thread.name == "keyboard" for thread in threading.enumerate()):
        threading.Event().wait(0.01)
    os.close(ours)
    os.close(theirs)
