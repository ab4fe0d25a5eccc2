"""A program in a terminal of its own, and somebody who reads and types there."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

SECONDS = 60
_CONTROLS = re.compile(rb"\x1b(\[[0-9;?]*[ -/]*[@-~]|\][^\x07]*\x07|[()][A-Z0-9]|[=>78])|\r")


class Terminal:
    """Runs a command in a pseudoterminal; `shown` is the text that it wrote there so far."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._raw = b""
        self._read = 0
        self._mine, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        self.process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**environment, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"},
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._mine)

    @property
    def shown(self) -> str:
        return _CONTROLS.sub(b"", self._raw).decode(errors="replace")

    def type(self, text: str) -> None:
        os.write(self._mine, text.encode())

    def until(self, text: str) -> str:
        """Wait until `text` is shown, after what was waited for last; what was shown on the way."""
        while text not in self.shown[self._read :]:
            if not self._receive():
                raise AssertionError(f"{text!r} did not come after\n{self.shown}")
        start, self._read = self._read, self.shown.index(text, self._read) + len(text)
        return self.shown[start : self._read]

    def end(self) -> int:
        """Wait for the end of the program; its exit status."""
        while self._receive():
            continue
        return self.process.wait(timeout=SECONDS)

    def _receive(self) -> bool:
        """Whether something came before the program ended or the time ran out."""
        if not select.select([self._mine], [], [], SECONDS)[0]:
            return False
        try:
            piece = os.read(self._mine, 65536)
        except OSError:  # how a terminal says that its other end is closed
            return False
        self._raw += piece
        return bool(piece)


def _take_terminal() -> None:
    """Makes the terminal the one whose Ctrl-C reaches the program."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
