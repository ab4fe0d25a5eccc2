"""SIGINT in a session: what it does, and where it has to wait."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

T = TypeVar("T")


class Interrupts:
    """Calls `act` when an interrupt comes, which may raise at that point of the running code.

    `act` gets the frame that runs. As a context manager it shields the session's own code: an
    interrupt that comes meanwhile acts when the outermost shield ends, so that no frame is torn
    and no text is lost.
    """

    def __init__(self) -> None:
        self.act: Callable[[FrameType | None], None] = lambda frame: None
        self._shields = 0
        self._pending = False

    def install(self) -> None:
        """Takes over the signal, also from a cell that has set a handler of its own."""
        signal.signal(signal.SIGINT, self._on_signal)

    def unshielded(self, wait: Callable[[], T]) -> T:
        """Calls `wait` with the shield down: what it does may be ended by an interrupt."""
        shields, self._shields = self._shields, 0
        try:
            self._act_if_pending()
            return wait()
        finally:
            self._shields = shields

    def _on_signal(self, _signal: int, frame: FrameType | None) -> None:
        if self._shields:
            self._pending = True
        else:
            self.act(frame)

    def _act_if_pending(self) -> None:
        if self._pending and not self._shields:
            self._pending = False
            self.act(sys._getframe())

    def __enter__(self) -> None:
        self._shields += 1

    def __exit__(self, *_error: object) -> None:
        self._shields -= 1
        self._act_if_pending()
