"""Output that goes past Python's streams, to descriptors 1 and 2: C code's, and `os.write`."""

from __future__ import annotations

import codecs
import contextlib
import os

from rlm_kernel.guest.events import Events

NAMES = {1: "stdout", 2: "stderr"}
PIECE = 1 << 16


class RawOutput:
    """Gathers it in files that have no name, and sends it as the output of a request."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._files: list[tuple[str, int, int]] = []

    def redirect(self) -> None:
        """From now on the descriptors lead to these files."""
        for descriptor, name in NAMES.items():
            path = f"/tmp/.{name}"
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND)
            os.unlink(path)
            os.dup2(file, descriptor)
            self._files.append((name, file, os.fstat(file).st_ino))

    def send(self) -> None:
        """Sends what was gathered since this was last asked."""
        for name, file, number in self._files:
            with contextlib.suppress(Exception):  # say, a program that closed what it did not open
                if os.pread(file, 1, 0) and os.fstat(file).st_ino == number:
                    self._send(name, file)

    def _send(self, name: str, file: int) -> None:
        decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        offset = 0
        while piece := os.pread(file, PIECE, offset):
            offset += len(piece)
            self._events.write(name, decode(piece))
        os.ftruncate(file, 0)
