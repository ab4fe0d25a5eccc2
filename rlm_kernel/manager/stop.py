"""The wish that a manager ends."""

from __future__ import annotations

import asyncio


class Stop:
    """Asked once, a manager drains and ends; asked again while it does, it ends at once."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.urgent = asyncio.Event()

    def ask(self) -> None:
        if self.asked.is_set():
            self.urgent.set()
        self.asked.set()

    def ask_urgently(self) -> None:
        """Nobody is there to wait for."""
        self.urgent.set()
        self.asked.set()
