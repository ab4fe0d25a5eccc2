"""Lines of this process's standard input, read without holding up the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import termios
import threading
from collections.abc import Iterator

_STDIN = 0


class Keyboard:
    """Reads lines from file descriptor 0, a terminal or not.

    A thread waits for each line: a descriptor that is a plain file cannot be watched. It reads
    the descriptor itself, because a thread that waits in `sys.stdin` can abort the interpreter's
    own end.
    """

    def __init__(self) -> None:
        self._pending = b""
        self._ended = False
        self._reading: asyncio.Future[bytes] | None = None

    async def line(self, *, hidden: bool = False) -> str | None:
        """The next line without its newline, not echoed if `hidden`; None at the end.

        When cancelled, nothing that was typed is lost to the next call.
        """
        with _echo_off() if hidden else contextlib.nullcontext():
            while b"\n" not in self._pending and not self._ended:
                await self._read_more()
        if not self._pending:
            return None
        line, _, self._pending = self._pending.partition(b"\n")
        return line.removesuffix(b"\r").decode(errors="replace")

    async def _read_more(self) -> None:
        if self._reading is None:
            self._reading = _read()
        await asyncio.wait({self._reading})
        data, self._reading = self._reading.result(), None
        self._ended = not data
        self._pending += data


def _read() -> asyncio.Future[bytes]:
    """What comes next on standard input; nothing at its end."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[bytes] = loop.create_future()

    def read() -> None:
        try:
            data = os.read(_STDIN, 65536)
        except OSError:
            data = b""  # closed, or a terminal that hung up: there will be no more
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(result.set_result, data)

    threading.Thread(target=read, name="keyboard", daemon=True).start()
    return result


@contextlib.contextmanager
def _echo_off() -> Iterator[None]:
    try:
        before = termios.tcgetattr(_STDIN)
    except termios.error:  # not a terminal: nothing echoes
        yield
        return
    silent = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
    termios.tcsetattr(_STDIN, termios.TCSADRAIN, silent)
    try:
        yield
    finally:
        termios.tcsetattr(_STDIN, termios.TCSADRAIN, before)
