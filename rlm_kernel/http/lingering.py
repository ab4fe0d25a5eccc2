"""Closing a socket so that the last words that were sent over it arrive."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable

SECONDS = 2.0
_DISCARDED_AT_ONCE = 1 << 16


class Lingering:
    """Reads what a peer still sends and throws it away, until it hangs up or `SECONDS` are over.

    Closed with anything unread, TCP resets the connection, and the peer's system throws away what
    the peer has not read yet. `closed` is called at the end.
    """

    def __init__(self, closing: socket.socket, closed: Callable[[], None]) -> None:
        self._socket = closing
        self._closed = closed
        self._loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            closing.shutdown(socket.SHUT_WR)
        self._loop.add_reader(closing, self._discard)
        self._timer = self._loop.call_later(SECONDS, self.close)

    def close(self) -> None:
        """Idempotent."""
        if self._socket.fileno() >= 0:
            self._timer.cancel()
            self._loop.remove_reader(self._socket)
            self._socket.close()
            self._closed()

    def _discard(self) -> None:
        try:
            ended = not self._socket.recv(_DISCARDED_AT_ONCE)
        except BlockingIOError:
            return
        except OSError:
            ended = True
        if ended:
            self.close()
