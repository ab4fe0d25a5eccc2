"""Measures the manager over HTTP on loopback: one client alone, then many sessions at once.

The manager is a process of its own, and so is each session. Under load every session executes one
cell after another while others are created and deleted; each answer is checked. At the end, all
that was taken must be given back. Medians, with the 10th and 90th percentiles, and the 99th.

python -m benchmarks.manager [--sessions 200] [--seconds 60] [--rounds 100]
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from benchmarks.connection import Connection
from benchmarks.memory import MB, private_bytes
from benchmarks.report import single, spread
from tests.manager.process import ManagerProcess

PAUSE_SECONDS = 0.05
"""Longer than it takes until a session that fell idle has its standby, and the pool is full."""

CELLS = 10
CHURNERS = 8
"""How many clients create and delete sessions while the others execute."""

SETTLING_SECONDS, SETTLING_STEP = 30.0, 0.5


class Timings:
    """Milliseconds of each kind of request."""

    def __init__(self) -> None:
        self._taken: dict[str, list[float]] = defaultdict(list)

    @asynccontextmanager
    async def of(self, what: str) -> AsyncIterator[None]:
        started = time.perf_counter()
        yield
        self._taken[what].append((time.perf_counter() - started) * 1e3)

    def count(self) -> int:
        return sum(map(len, self._taken.values()))

    def report(self) -> None:
        for what, milliseconds in self._taken.items():
            spread(what, milliseconds, "ms", last=True)


class Client:
    """Creates sessions, has them count, and deletes them; raises where an answer is not right."""

    def __init__(self, connection: Connection, timings: Timings) -> None:
        self._connection = connection
        self._timings = timings

    async def create(self) -> str:
        async with self._timings.of("create"):
            status, answer = await self._connection.ask("POST", "/session")
        assert status == 201, answer
        return f"/session/{answer['session_id']}"

    async def execute(self, session: str, code: str, expected: str | None, what: str) -> None:
        async with self._timings.of(what):
            status, answer = await self._connection.ask(
                "POST", f"{session}/execute", {"code": code}
            )
        assert status == 200, answer
        assert (answer["status"], answer["result"], answer["state"]) == ("ok", expected, "kept")

    async def delete(self, session: str) -> None:
        async with self._timings.of("delete"):
            status, answer = await self._connection.ask("DELETE", session)
        assert status == 204, answer

    async def live(self, cells: int) -> None:
        """The life of a session, from its creation to its end."""
        session = await self.create()
        await self.execute(session, "x = 1", None, "execute, first of a session")
        for _ in range(cells):
            await self.execute(session, "x = 1", None, "execute")
        await self.delete(session)

    async def count_until(self, session: str, end: float) -> None:
        await self.execute(session, "n = 0", None, "execute")
        number = 0
        while time.monotonic() < end:
            number += 1
            await self.execute(session, "n += 1; n", str(number), "execute")

    async def churn_until(self, end: float) -> None:
        while time.monotonic() < end:
            await self.live(1)


@dataclass(frozen=True, slots=True)
class Taken:
    """What a manager has of the system."""

    processes: int
    files: int
    memory: float

    @classmethod
    def by(cls, manager: ManagerProcess) -> Taken:
        return cls(
            len(manager.descendants()), manager.open_files(), private_bytes(manager.pid) / MB
        )

    def exceeds(self, before: Taken) -> bool:
        """Memory is not counted: what is free again need not go back to the system."""
        return self.processes > before.processes or self.files > before.files

    def __str__(self) -> str:
        return f"{self.processes} processes, {self.files} files, {self.memory:.1f} MB"


async def settled(manager: ManagerProcess, before: Taken | None = None) -> Taken:
    """What the manager has once it has let go of what it does not need.

    That is as much as it had before, or, where that is not known, what does not change any more.
    """
    taken, end = Taken.by(manager), time.monotonic() + SETTLING_SECONDS
    while time.monotonic() < end:
        await asyncio.sleep(SETTLING_STEP)
        last, taken = taken, Taken.by(manager)
        if not taken.exceeds(before or last) and not last.exceeds(taken):
            break
    return taken


async def one_client(manager: ManagerProcess, rounds: int) -> None:
    timings = Timings()
    async with Connection(manager.url) as connection:
        client = Client(connection, Timings())
        for _ in range(3):
            await client.live(CELLS)
        client = Client(connection, timings)
        for _ in range(rounds):
            await asyncio.sleep(PAUSE_SECONDS)
            await client.live(CELLS)
    timings.report()


async def load(manager: ManagerProcess, sessions: int, seconds: float) -> Timings:
    timings = Timings()
    async with AsyncExitStack() as stack:
        connections = [
            await stack.enter_async_context(Connection(manager.url))
            for _ in range(sessions + CHURNERS)
        ]
        clients = [Client(connection, timings) for connection in connections]
        async with asyncio.TaskGroup() as group:
            created = [group.create_task(client.create()) for client in clients[:sessions]]
        end = time.monotonic() + seconds
        async with asyncio.TaskGroup() as group:
            for client, session in zip(clients, created, strict=False):
                group.create_task(client.count_until(session.result(), end))
            for client in clients[sessions:]:
                group.create_task(client.churn_until(end))
        async with asyncio.TaskGroup() as group:
            for client, session in zip(clients, created, strict=False):
                group.create_task(client.delete(session.result()))
    return timings


async def measure(sessions: int, seconds: float, rounds: int) -> None:
    environment = {"MAX_SESSIONS": str(sessions + CHURNERS), "LOG_LEVEL": "INFO"}
    with ManagerProcess(environment=environment) as manager:
        print("one client, milliseconds")
        await one_client(manager, rounds)
        # The memory of a peak stays with the process: one like it is to come, and to need no more.
        await load(manager, sessions, seconds)
        before = await settled(manager)
        print(f"{sessions} sessions at once, {seconds:g} s, milliseconds")
        timings = await load(manager, sessions, seconds)
        timings.report()
        single("requests answered per second", timings.count() / seconds, "")
        after = await settled(manager, before)
        print(f"before: {before}\nafter:  {after}")
        assert not after.exceeds(before), "a leak"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rounds", type=int, default=100)
    arguments = parser.parse_args()
    asyncio.run(measure(arguments.sessions, arguments.seconds, arguments.rounds))


if __name__ == "__main__":
    main()
