"""How long a cell may run: on the clock, and on the processor."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Self

CPUCLOCK_SCHED = 2
"""The clock of all CPU time of a process; source: Linux's `include/linux/posix-timers_types.h`."""

LOOK_AGAIN_S = 0.01
"""The shortest wait: the two clocks do not tick together."""


class TimeLimit:
    """Limits of one cell, which begins now: seconds by the clock, and of CPU time of its process.

    None is no limit. Sleeping and waiting for answers take no CPU time. Within its context, calls
    `on_exceeded` once on the running loop with what the cell did too long, which `exceeded` is from
    then on.
    """

    def __init__(
        self,
        pid: int,
        seconds: float | None,
        cpu_seconds: float | None,
        on_exceeded: Callable[[str], None],
    ) -> None:
        self.exceeded = ""
        self._pid = pid
        self._seconds = seconds
        self._cpu_seconds = cpu_seconds
        self._on_exceeded = on_exceeded
        self._loop = asyncio.get_running_loop()
        self._started = time.monotonic()
        self._cpu_started = 0.0 if cpu_seconds is None else cpu_time(pid)
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        self._wait()
        return self

    def __exit__(self, *_error: object) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _wait(self) -> None:
        left = self._left()
        if left is not None:
            self._timer = self._loop.call_later(max(left, LOOK_AGAIN_S), self._look)

    def _look(self) -> None:
        self.exceeded = self._reason()
        if self.exceeded:
            self._on_exceeded(self.exceeded)
        else:
            self._wait()

    def _left(self) -> float | None:
        """Seconds for which the cell cannot be over its limits; they may be less than none."""
        lefts = []
        if self._seconds is not None:
            lefts.append(self._seconds - self._elapsed())
        if self._cpu_seconds is not None:
            lefts.append(self._cpu_seconds - self._cpu_elapsed())
        return min(lefts, default=None)

    def _reason(self) -> str:
        if self._seconds is not None and self._elapsed() >= self._seconds:
            return ran_longer_than(self._seconds)
        if self._cpu_seconds is not None and self._cpu_elapsed() > self._cpu_seconds:
            return f"used more than {self._cpu_seconds:g} s of CPU"
        return ""

    def _elapsed(self) -> float:
        return time.monotonic() - self._started

    def _cpu_elapsed(self) -> float:
        return cpu_time(self._pid) - self._cpu_started


def ran_longer_than(seconds: float) -> str:
    return f"ran longer than {seconds:g} s"


def cpu_time(pid: int) -> float:
    """Seconds of CPU time that a process has taken; 0 where there is no such process."""
    try:
        return time.clock_gettime(~pid << 3 | CPUCLOCK_SCHED)
    except OSError:
        return 0.0
