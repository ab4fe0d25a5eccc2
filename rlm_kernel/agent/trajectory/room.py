"""How much a record may hold."""

from __future__ import annotations

import json
from typing import Any

from rlm_kernel.agent.trajectory.secrets import Scrubber

ITEM = 200
"""What anything costs beside its text, so that many small things cost too."""


class Room:
    """Characters that are left for the texts of a whole tree of runs.

    What does not fit is cut, and counted in `cut`. A cut leaves no part of a secret behind.
    """

    def __init__(self, characters: int, scrubber: Scrubber) -> None:
        self._left = characters
        self._scrubber = scrubber
        self.cut = 0

    def text(self, text: str) -> str:
        """As much of the text as there is room for."""
        return text if self.takes(len(text)) else self.more("", text)

    def more(self, before: str, text: str) -> str:
        """`before`, which has its room, and as much of the text that follows as there is room for.

        A secret may begin in the one and end in the other.
        """
        kept = self._scrubber.beginning(before + text, len(before) + self._left)
        self.cut += max(0, len(before) + len(text) - len(kept))
        self._left = 0
        return kept

    def value(self, value: Any) -> Any:
        """A value that JSON can hold; None where there is no room for all of it."""
        size = len(json.dumps(value))
        if self.takes(size):
            return value
        self.cut += size
        return None

    def takes(self, size: int) -> bool:
        """Whether something of that size fits; then its room is taken."""
        if size + ITEM > self._left:
            return False
        self._left -= size + ITEM
        return True
