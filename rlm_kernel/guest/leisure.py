"""Work that is put off until the session has nothing else to do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

IDLE_SECONDS = 0.5
"""Programs that send cell after cell leave no such pause; people do."""


class Leisure:
    """From `begin` on waits until nothing is asked of the session for a while, and calls `act`.

    `answered` counts what it was asked, and says None while it is at it.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        answered: Callable[[], int | None],
        act: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._answered = answered
        self._act = act
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Waits, anew if it did already."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(IDLE_SECONDS, self._look, self._answered())

    def _look(self, before: int | None) -> None:
        if before is None or self._answered() != before:
            self.begin()
        else:
            with contextlib.suppress(Exception):  # who needs it will see what is wrong
                self._act()
