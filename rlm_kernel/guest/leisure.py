"""Work that is put off until the session has nothing else to do."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable

IDLE_SECONDS = 0.1
"""Programs that send cell after cell leave no such pause; people do."""


class Leisure:
    """From `begin` on takes one of `steps` whenever nothing was asked of the session for a while.

    `answered` counts what it was asked, and says None while it is at it. What is asked during a
    step waits for the end of that step alone.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        answered: Callable[[], int | None],
        steps: Iterable[Callable[[], object]],
    ) -> None:
        self._loop = loop
        self._answered = answered
        self._steps = deque(steps)
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Waits, anew if it did already, as long as there are steps left."""
        if self._timer is not None:
            self._timer.cancel()
        if self._steps:
            self._timer = self._loop.call_later(IDLE_SECONDS, self._look, self._answered())

    def _look(self, before: int | None) -> None:
        if before is not None and self._answered() == before:
            with contextlib.suppress(Exception):  # who needs it will see what is wrong
                self._steps.popleft()()
        self.begin()
