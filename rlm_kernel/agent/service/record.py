"""What is kept of a run: its steps, as they are told."""

from __future__ import annotations

import json
from typing import Any

from rlm_kernel.http.messages import Wire, as_json

FIRST_BYTES_SHARE = 0.5


class Record:
    """Steps in their order, at most about `limit` bytes of them; `size` is how many there are.

    Where there are more, those of the middle are dropped: the beginning says what was asked, and
    the end what came of it.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._steps: list[tuple[str, bytes]] = []
        self._fixed = 0
        self.size = 0
        self.dropped = 0

    def add(self, name: str, message: Wire) -> None:
        data = as_json(message)
        self._steps.append((name, data))
        self.size += len(data)
        if self.size <= self._limit * FIRST_BYTES_SHARE:
            self._fixed = len(self._steps)
        while self.size > self._limit and len(self._steps) > self._fixed + 1:
            self.size -= len(self._steps.pop(self._fixed)[1])
            self.dropped += 1

    def steps(self) -> list[dict[str, Any]]:
        return [{"event": name, "data": json.loads(data)} for name, data in self._steps]
