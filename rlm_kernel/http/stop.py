"""The wish that a server ends."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class Stop:
    """Asked once, a server drains and ends; asked again while it does, it ends at once."""

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


async def unless(event: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Do the work, until the event comes. Raises what the work raises."""
    tasks = asyncio.ensure_future(work), asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if tasks[0].done():
            tasks[0].result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
