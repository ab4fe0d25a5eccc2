"""The CPU time that the guest has taken, in whatever process it runs."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CpuTime:
    """Nanoseconds of the process, and of the thread that runs the guest."""

    process_ns: int
    thread_ns: int


class CpuClock:
    """Runs on in a copy of the process, where the system's own clocks begin anew."""

    def __init__(self) -> None:
        self._before = CpuTime(0, 0)

    def read(self) -> CpuTime:
        return CpuTime(
            self._before.process_ns + time.process_time_ns(),
            self._before.thread_ns + time.thread_time_ns(),
        )

    def go_on_from(self, reading: CpuTime) -> None:
        """Called in a copy, with what the original read before it was copied."""
        self._before = reading
