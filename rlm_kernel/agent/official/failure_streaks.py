"""A limit on turns in a row whose code fails."""

from __future__ import annotations

from rlm_kernel.agent.events import CodeFinished, Event
from rlm_kernel.errors import ErrorLimitExceeded


class FailureStreaks:
    """Watches the events of a tree of runs; `see` raises ErrorLimitExceeded in the run at fault.

    That is the run whose code failed in `limit` turns, one after the other. The error of a child
    run is one that its parent's code can handle.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._streaks: dict[str, tuple[int, int]] = {}

    def see(self, event: Event) -> None:
        """Take note of what an event says."""
        if not isinstance(event, CodeFinished) or event.ok:
            return
        turn, length = self._streaks.get(event.run, (0, 0))
        length = length + 1 if turn == event.turn - 1 else 1
        self._streaks[event.run] = (event.turn, length)
        if length >= self._limit:
            raise ErrorLimitExceeded(f"the code of {length} turns in a row failed")
