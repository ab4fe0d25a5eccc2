"""Events: what running code sends to the owner, each under the request that it belongs to."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any

from rlm_kernel.guest.budget import DISPLAYS, Budget
from rlm_kernel.guest.bundles import as_json
from rlm_kernel.guest.interrupts import Interrupts
from rlm_kernel.guest.link import Link
from rlm_kernel.guest.parsed_size import parsed_bytes

FLUSH_BYTES = 1 << 14
FLUSH_MILLISECONDS = 20
PIECE = 1 << 16
"""Characters that one event holds at most."""

current_request: ContextVar[str] = ContextVar("current_request", default="")
"""The id of the request whose code is running. Tasks keep that of the cell that made them."""


class Events:
    """Sends events in the order in which they happen.

    Text of one stream and one request is gathered: it goes out before anything else is sent, when
    there is much of it, and at the latest a moment after it was written: a signal of the owner's
    then reaches code that never returns to the session's own. Of what is over the budget of the
    cell only the first is sent, so that the owner knows that there is more.
    """

    def __init__(self, link: Link, interrupts: Interrupts, budget: Budget) -> None:
        self._link = link
        self._budget = budget
        self._interrupts = interrupts
        self._source = ("", "")
        self._text: list[str] = []
        self._size = 0
        link.before_wait = self.flush

    def watch_clock(self) -> None:
        """From now on the owner's signal sends gathered text."""
        signal.signal(signal.SIGPROF, self._on_signal)

    def emit(self, kind: str, content: dict[str, Any], buffers: Sequence[bytes] = ()) -> None:
        """Sends an event of the running request."""
        if kind in DISPLAYS and self._budget.display_left < 0:
            return
        self.flush()
        text = as_json(content)
        size = self._link.send(kind, current_request.get(), text, buffers)
        if kind in DISPLAYS:
            self._budget.take_display(size + parsed_bytes(text))

    def begin(self) -> None:
        """A request begins, with a budget of its own."""
        self._budget.renew()

    def reply(self, request_id: str, content: dict[str, Any]) -> None:
        """Sends the reply that ends a request."""
        with contextlib.suppress(Exception):  # text that cannot be sent now goes with the next
            self.flush()
        self._link.send("reply", request_id, as_json(content))

    def write(self, stream: str, text: str) -> None:
        """Gathers text of a stream; a long one goes in pieces."""
        for start in range(0, len(text), PIECE):
            self._gather(stream, text[start : start + PIECE])

    def _gather(self, stream: str, text: str) -> None:
        if self._budget.text_left < 0:
            return
        with self._interrupts:
            self._budget.take_text(text)
            source = (stream, current_request.get())
            if source != self._source:
                self.flush()
                self._source = source
            if not self._text:
                self._link.signal_in(FLUSH_MILLISECONDS)
            self._text.append(text)
            self._size += len(text)
            if self._size >= FLUSH_BYTES:
                self.flush()

    def flush(self) -> None:
        """Sends what was gathered; keeps it where that fails."""
        if not self._text:
            return
        with self._interrupts:
            pieces, size = self._text, self._size
            self._text, self._size = [], 0  # before it is sent: a signal may flush meanwhile
            stream, request_id = self._source
            try:
                content = as_json({"name": stream, "text": "".join(pieces)})
                self._link.send("stream", request_id, content)
            except BaseException:
                self._text[:0], self._size = pieces, size
                raise

    def _on_signal(self, _signal: int, _frame: object) -> None:
        # The signal may come at any point of the user's code, where nothing of ours may be raised;
        # text that cannot be sent now, say near the recursion limit, goes with the next.
        with contextlib.suppress(Exception):
            self.flush()
