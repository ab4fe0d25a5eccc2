"""SIGINT in a session: what it does, and where it has to wait."""

from __future__ import annotations

import _thread
import os
import posix
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
    and no text is lost. One that comes while another acts is next, never nested in it.
    """

    def __init__(self) -> None:
        self.act: Callable[[FrameType | None], None] = lambda frame: None
        self._shields = 0
        self._pending = False

    def install(self) -> None:
        """Takes over the signal, also from a cell that has set a handler of its own."""
        signal.signal(signal.SIGINT, self._on_signal)

    def take_own_signals(self) -> None:
        """Has the user's code interrupt itself where it sends the signal to its own process.

        What comes by the signal is the owner's, and acts only for the request that he named.
        """
        raise_signal, interrupt_main, kill = signal.raise_signal, _thread.interrupt_main, os.kill

        def interrupting_kill(pid: int, signal: int, /) -> None:
            if pid == os.getpid():
                self._interrupt_by(signal)
            kill(pid, signal)

        def interrupting_raise(signalnum: int, /) -> None:
            self._interrupt_by(signalnum)
            raise_signal(signalnum)

        def interrupting_main(signum: int = signal.SIGINT, /) -> None:
            self._interrupt_by(signum)
            interrupt_main(signum)  # type: ignore[arg-type]  # it takes any number

        os.kill = posix.kill = interrupting_kill
        signal.raise_signal = interrupting_raise
        _thread.interrupt_main = interrupting_main

    def _interrupt_by(self, number: int) -> None:
        if number == signal.SIGINT and signal.getsignal(number) == self._on_signal:
            raise KeyboardInterrupt

    def unshielded(self, wait: Callable[[], T]) -> T:
        """Calls `wait` with the shield down: what it does may be ended by an interrupt."""
        shields, self._shields = self._shields, 0
        try:
            self._act_if_pending(sys._getframe())
            return wait()
        finally:
            self._shields = shields

    def _on_signal(self, _signal: int, frame: FrameType | None) -> None:
        self._pending = True
        self._act_if_pending(frame)

    def _act_if_pending(self, frame: FrameType | None) -> None:
        while self._pending and not self._shields:
            self._pending = False
            self._shields += 1
            try:
                self.act(frame)
            finally:
                self._shields -= 1

    def __enter__(self) -> None:
        self._shields += 1

    def __exit__(self, *_error: object) -> None:
        self._shields -= 1
        if self._pending:
            self._act_if_pending(sys._getframe())
