"""One of many clients of a manager: uses sessions at random, and checks every answer."""

from __future__ import annotations

import asyncio
import random
from collections import Counter as Tally
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.connection import Connection
from tests.chaos.counter import COUNT, Counter

SESSIONS = 3
"""A worker has no more at once."""

SPIN = "while True: pass"
SPIN_SECONDS = 0.1


class Worker:
    """Lives until it is told to stop; `done` says how often it did what."""

    def __init__(self, url: str, seed: str) -> None:
        self.sessions: dict[str, Counter] = {}
        self._past_losses = 0
        self.done: Tally[str] = Tally()
        self._url = url
        self._random = random.Random(seed)
        self._connection = Connection(url)

    async def work(self, stop: asyncio.Event) -> None:
        async with self._connection:
            while not stop.is_set():
                await self._do_something()

    async def finish(self) -> None:
        """Nothing is killed any more: a loss may still be told, and then all is as it seems."""
        async with self._connection:
            for session in self.sessions:
                await self._count(session)
                losses = self.sessions[session].losses
                await self._count(session)
                assert self.sessions[session].losses == losses

    def losses_in_all(self) -> int:
        """How many ends of processes its answers have shown."""
        return self._past_losses + sum(counter.losses for counter in self.sessions.values())

    async def _do_something(self) -> None:
        if not self.sessions:
            await self._create()
            return
        session = self._random.choice(list(self.sessions))
        acts: dict[Callable[[str], Awaitable[None]], int] = {
            self._count: 60,
            self._count_unheard: 6,
            self._spin: 2,
            self._restart: 3,
            self._fork: 4,
            self._delete: 8,
            self._delete_while_it_runs: 4,
            self._create_one_more: 12,
            self._create_unheard: 3,
        }
        (act,) = self._random.choices(list(acts), list(acts.values()))
        self.done[act.__name__] += 1
        await act(session)

    async def _ask(self, method: str, path: str, content: Any = None) -> tuple[int, Any]:
        return await self._connection.ask(method, path, content)

    async def _create(self) -> None:
        status, answer = await self._ask("POST", "/session")
        assert status == 201, answer
        self.sessions[f"/session/{answer['session_id']}"] = Counter()

    async def _create_one_more(self, _session: str) -> None:
        if len(self.sessions) < SESSIONS:
            await self._create()

    async def _create_unheard(self, _session: str) -> None:
        await self._hang_up_during("POST", "/session")

    async def _count(self, session: str) -> None:
        status, answer = await self._ask("POST", f"{session}/execute", {"code": COUNT})
        assert status == 200, answer
        self.sessions[session].check(answer)

    async def _count_unheard(self, session: str) -> None:
        self.sessions[session].add_stray()

        await self._hang_up_during("POST", f"{session}/execute", {"code": COUNT})

    async def _spin(self, session: str) -> None:
        content = {"code": SPIN, "timeout": SPIN_SECONDS}
        status, answer = await self._ask("POST", f"{session}/execute", content)
        assert status == 200, answer
        self.sessions[session].check_overrun(answer)

    async def _fork(self, session: str) -> None:
        if len(self.sessions) >= SESSIONS:
            return
        status, answer = await self._ask("POST", f"{session}/fork")
        if status == 201:
            self.sessions[f"/session/{answer['session_id']}"] = self.sessions[session].copy()
        else:
            self.done["fork failed"] += 1
            assert answer["error"]["code"] == "fork_failed", answer

    async def _restart(self, session: str) -> None:
        status, answer = await self._ask("POST", f"{session}/restart")
        assert status == 204, answer
        self.sessions[session].begin_anew()

    async def _delete(self, session: str) -> None:
        self._forget(session)
        status, answer = await self._ask("DELETE", session)
        assert status == 204, answer
        await self._check_gone(session)

    async def _delete_while_it_runs(self, session: str) -> None:
        counter = self._forget(session)
        async with Connection(self._url) as other:
            running = asyncio.ensure_future(
                other.ask("POST", f"{session}/execute", {"code": COUNT})
            )
            await asyncio.sleep(self._random.uniform(0, 0.01))
            status, answer = await self._ask("DELETE", session)
            assert status == 204, answer
            status, answer = await running
        if status == 200 and "the session was closed" not in str(answer["error"]):
            counter.check(answer)
        assert status in (200, 404), answer
        await self._check_gone(session)

    async def _check_gone(self, session: str) -> None:
        status, answer = await self._ask("GET", session)
        assert (status, answer["error"]["code"]) == (404, "session_not_found")

    def _forget(self, session: str) -> Counter:
        counter = self.sessions.pop(session)
        self._past_losses += counter.losses
        return counter

    async def _hang_up_during(self, method: str, path: str, content: Any = None) -> None:
        async with Connection(self._url) as doomed:
            asking = asyncio.ensure_future(doomed.ask(method, path, content))
            await asyncio.wait({asking}, timeout=self._random.uniform(0, 0.01))
            doomed.hang_up()
            await asyncio.wait({asking})
            asking.exception()
