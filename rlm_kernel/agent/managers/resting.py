"""Managers that are left alone for a while, because they just could not do something."""

from __future__ import annotations

import time

from rlm_kernel.errors import TryLater

REST_SECONDS = 2.0
LONGEST_REST_SECONDS = 10.0
"""A manager that is full says when its next session may expire; one may be deleted long before."""


class Resting:
    """Until when each manager rests. Safe to use from any thread."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def begin(self, url: str, error: BaseException) -> None:
        """The manager has failed with this error, which may say when to try again."""
        told = error.retry_after if isinstance(error, TryLater) else None
        seconds = REST_SECONDS if told is None else min(float(told), LONGEST_REST_SECONDS)
        self._until[url] = time.monotonic() + seconds

    def end(self, url: str) -> None:
        """The manager works."""
        self._until.pop(url, None)

    def includes(self, url: str) -> bool:
        """Whether it is to be left alone where there are others."""
        until = self._until.get(url)
        if until is not None and time.monotonic() >= until:
            self._until.pop(url, None)
            return False
        return until is not None
