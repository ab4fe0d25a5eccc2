"""Which manager has which session, as far as that has been learnt."""

from __future__ import annotations

import threading
from collections import OrderedDict

REMEMBERED = 100_000
"""Sessions of which the manager is known; those that were not asked for longest are forgotten."""


class Whereabouts:
    """URLs by session id; bounded, and safe to use from any thread."""

    def __init__(self, size: int = REMEMBERED) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._urls: OrderedDict[str, str] = OrderedDict()

    def note(self, session_id: str, url: str) -> None:
        """The session is at this manager."""
        with self._lock:
            self._urls[session_id] = url
            self._urls.move_to_end(session_id)
            if len(self._urls) > self._size:
                self._urls.popitem(last=False)

    def find(self, session_id: str) -> str | None:
        """The manager of the session; None where it is not known."""
        with self._lock:
            url = self._urls.get(session_id)
            if url is not None:
                self._urls.move_to_end(session_id)
            return url

    def forget(self, session_id: str) -> None:
        """The session is over. Idempotent."""
        with self._lock:
            self._urls.pop(session_id, None)
