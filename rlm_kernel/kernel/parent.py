"""Knowing when the process that started this one has ended."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

POLL_SECONDS = 1.0


class ParentWatch:
    """Calls `on_end` once when the parent process ends, on the running loop.

    `expected` is the parent's process id as the parent itself told it: when another process is
    the parent by now, because the real one ended before anyone looked, that counts as its end.
    Process 1 is not watched, since it outlives everything.
    """

    def __init__(self, expected: int, on_end: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_end = on_end
        self._parent = os.getppid()
        self._descriptor: int | None = None
        self._poll: asyncio.TimerHandle | None = None
        if self._parent == 1:
            if expected != 1:
                self._loop.call_soon(on_end)
            return
        self._watch()

    def close(self) -> None:
        """Idempotent."""
        if self._poll is not None:
            self._poll.cancel()
        if self._descriptor is not None:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None

    def _watch(self) -> None:
        try:
            self._descriptor = os.pidfd_open(self._parent)
        except OSError:  # seccomp profiles and old kernels refuse it
            self._look()
            return
        self._loop.add_reader(self._descriptor, self._end)
        if os.getppid() != self._parent:
            self._loop.call_soon(self._end)

    def _look(self) -> None:
        if os.getppid() != self._parent:
            self._on_end()
        else:
            self._poll = self._loop.call_later(POLL_SECONDS, self._look)

    def _end(self) -> None:
        if self._descriptor is not None:
            self.close()
            self._on_end()
