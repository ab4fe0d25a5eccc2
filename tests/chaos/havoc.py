"""Kills processes of a manager at random."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from pathlib import Path

from benchmarks.connection import Connection
from tests.manager.process import ManagerProcess

SECONDS_BETWEEN_SESSIONS = 0.15
SECONDS_BETWEEN_ZYGOTES = 1.0
PROOF_SECONDS = 1.1
"""A proof of readiness that is older was made after the last kill."""


class Havoc:
    """Counts what it killed: processes of sessions, their standbys among them, and zygotes."""

    def __init__(self, manager: ManagerProcess, seed: str) -> None:
        self.sessions = self.zygotes = 0
        self._manager = manager
        self._random = random.Random(seed)

    async def kill_sessions(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self._pause(SECONDS_BETWEEN_SESSIONS)
            if victims := sorted(sessions_of(self._manager)):
                self.sessions += _kill(self._random.choice(victims))

    async def kill_zygotes(self, stop: asyncio.Event) -> None:
        """One after the other, each when a new one has shown that it works."""
        async with Connection(self._manager.url) as connection:
            while not stop.is_set():
                await asyncio.sleep(PROOF_SECONDS)
                await self._pause(SECONDS_BETWEEN_ZYGOTES)
                status, _ = await connection.ask("GET", "/ready")
                victims = sorted(self._manager.descendants() - sessions_of(self._manager))
                if status == 200 and victims:
                    self.zygotes += _kill(self._random.choice(victims))

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(self._random.expovariate(1 / seconds))


def sessions_of(manager: ManagerProcess) -> set[int]:
    """The sealed ones among its processes."""
    return {pid for pid in manager.descendants() if _is_sealed(pid)}


def _is_sealed(pid: int) -> bool:
    try:
        return "\nNoNewPrivs:\t1\n" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True
