"""What the manager does once a second, and how late the event loop lets it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

_SECONDS = 1.0


class Housekeeping:
    """Calls `work` every second, and `late` with how many seconds after its time that was."""

    def __init__(self, work: Callable[[], None], late: Callable[[float], None]) -> None:
        self._work = work
        self._late = late
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + _SECONDS
        self._timer = loop.call_at(due, self._turn, due)

    def end(self) -> None:
        """Idempotent."""
        if self._timer is not None:
            self._timer.cancel()

    def _turn(self, due: float) -> None:
        self._late(max(0.0, asyncio.get_running_loop().time() - due))
        self.begin()
        self._work()
