"""`sys.stdout` and `sys.stderr` of a session."""

from __future__ import annotations

import io

from rlm_kernel.guest.events import Events


class OutputStream(io.TextIOBase):
    """A text stream that becomes `stream` events."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, name: str, descriptor: int, events: Events) -> None:
        super().__init__()
        self.name = f"<{name}>"
        self._stream = name
        self._descriptor = descriptor
        self._events = events

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if self.closed:
            raise ValueError("I/O operation on closed file.")
        if not text.isascii():
            text = text.encode(self.encoding, self.errors).decode(self.encoding)
        self._events.write(self._stream, text)
        return len(text)

    def flush(self) -> None:
        self._events.flush()

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return self._descriptor
