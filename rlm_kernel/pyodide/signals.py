"""Signals of CPython on Emscripten.

CPython polls the word `Py_EMSCRIPTEN_SIGNAL_HANDLING` and, when it is not zero, asks the host
which signal came (source: CPython's `Python/emscripten_signal.c`). The word lies in the guest's
memory, so any thread of the host may set it while the guest runs.
"""

from __future__ import annotations

from collections import deque

from rlm_kernel.emscripten.imports import imported
from rlm_kernel.emscripten.memory import GuestMemory

SIGINT, SIGPROF = 2, 27
"""Source: musl's `arch/emscripten/bits/signal.h`."""

WORD = "Py_EMSCRIPTEN_SIGNAL_HANDLING"


class Signals:
    """Delivers signals to the interpreter, once it is known where it looks for them."""

    def __init__(self, memory: GuestMemory) -> None:
        self._memory = memory
        self._pending: deque[int] = deque()
        self._address: int | None = None

    def attach(self, address: int) -> None:
        """The interpreter's word lies at this address."""
        self._address = address
        if self._pending:
            self._write_word(1)

    def send(self, number: int) -> None:
        """The guest handles the signal at its next check.

        Callable from any thread: it writes memory, and asks nothing of the engine, which serves
        one thread at a time.
        """
        self._pending.append(number)
        self._write_word(1)

    @imported("_Py_CheckEmscriptenSignals_Helper", "", "i")
    def next_signal(self) -> int:
        """The first signal that was not handled yet, 0 where there is none."""
        self._write_word(0)
        number = self._pending.popleft() if self._pending else 0
        if self._pending:
            self._write_word(1)
        return number

    def _write_word(self, value: int) -> None:
        if self._address is not None:
            self._memory.write_u32(self._address, value)
