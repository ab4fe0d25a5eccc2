"""Zygotes that follow one another: what sessions see of it, and what happens where one fails."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from rlm_kernel.errors import SandboxClosed, ZygoteError
from rlm_kernel.sandbox import Zygote, ZygoteRotation
from rlm_kernel.sandbox.process import SessionProcess
from rlm_kernel.sandbox.rotation import StartZygote
from tests.processes import alive
from tests.sandbox.sessions import run, until_standby

HASH = "hash('abc')"


class Lent(Zygote):
    """A zygote without a process of its own: its sessions come from another one."""

    def __init__(self, lender: Zygote) -> None:
        super().__init__(lender.limits, None, False)
        self.forks = 0
        self._lender = lender
        self._ended = False

    @property
    def lives(self) -> bool:
        return not self._ended

    async def _ask_for_fork(self) -> SessionProcess:
        self.forks += 1
        return await self._lender.fork()

    def _end(self) -> None:
        self._ended = True


def booting_twice() -> StartZygote:
    """Starts zygotes, of which the third and later ones boot for ever."""
    numbers = itertools.count(1)

    async def start_unless_last() -> Zygote:
        if next(numbers) > 2:
            await asyncio.Event().wait()
        return await Zygote.start()

    return start_unless_last


@asynccontextmanager
async def rotation(
    start: StartZygote | None = None, max_sessions: int = 1, max_seconds: float = 1e6
) -> AsyncIterator[ZygoteRotation]:
    begun = await ZygoteRotation.begin(start or booting_twice(), max_sessions, max_seconds)
    try:
        yield begun
    finally:
        await begun.close()


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - nobody tells of it
        await asyncio.sleep(0.005)


async def test_nobody_waits_for_the_next_zygote_and_only_one_boots(zygote: Zygote) -> None:
    starts, gate = 0, asyncio.Event()

    async def gated() -> Zygote:
        nonlocal starts
        starts += 1
        if starts > 1:
            await gate.wait()
        return Lent(zygote)

    async with rotation(gated, max_sessions=2) as zygotes:
        first = zygotes.current
        assert isinstance(first, Lent)
        for _ in range(5):
            assert (await run(await zygotes.spawn(), "1")).result == "1"
        assert (first.forks, starts, zygotes.current is first) == (5, 2, True)
        gate.set()
        await until(lambda: zygotes.current is not first)


async def test_a_session_of_the_old_zygote_lives_on_with_its_standby_and_ends_it_at_last() -> None:
    async with rotation() as zygotes:
        old = zygotes.current
        session = await zygotes.spawn()
        await run(session, "x = 1")
        await until(lambda: zygotes.current is not old)
        await until(lambda: session.has_standby)
        assert (await run(session, "import os; os._exit(1)")).state == "rolled_back"
        copy = await session.fork()
        await session.close()
        assert (await run(copy, "x")).result == "1"
        pid = old.pid
        await copy.close()
        await until(lambda: not old.lives)
        assert not alive({pid})


async def test_a_zygote_that_is_old_is_replaced_by_one_with_another_hash_seed() -> None:
    async with rotation(max_sessions=1000, max_seconds=1e-9) as zygotes:
        old = zygotes.current
        session = await zygotes.spawn()
        before = (await run(session, HASH)).result
        await until(lambda: zygotes.current is not old)
        await session.restart()  # a session begins anew from the zygote of the day
        assert (await run(session, HASH)).result != before
        assert (await run(await zygotes.spawn(), HASH)).result != before


async def test_a_zygote_that_nobody_asks_grows_old_as_well(zygote: Zygote) -> None:
    starts = 0

    async def failing_once() -> Zygote:
        nonlocal starts
        starts += 1
        if starts == 2:
            raise ZygoteError("not this time")
        return Lent(zygote)

    async with rotation(failing_once, max_seconds=0.05) as zygotes:
        zygotes.retry_seconds = 0.01
        first = zygotes.current
        await until(lambda: zygotes.current is not first)
        second = zygotes.current
        await until(lambda: zygotes.current is not second)


async def test_a_zygote_that_does_not_start_is_logged_once_and_the_old_one_goes_on(
    zygote: Zygote, caplog: pytest.LogCaptureFixture
) -> None:
    starts = 0

    async def failing() -> Zygote:
        nonlocal starts
        starts += 1
        if starts == 1:
            return Lent(zygote)
        raise ZygoteError("no room to boot")

    async with rotation(failing) as zygotes:
        first = zygotes.current
        for _ in range(5):
            session = await zygotes.spawn()
            assert (await run(session, "1")).result == "1"
        assert (starts, zygotes.current is first) == (2, True)
        assert [record.getMessage() for record in caplog.records].count(
            "the next zygote did not start, the old one goes on: no room to boot"
        ) == 1


async def test_after_a_failure_it_is_tried_again_later(zygote: Zygote) -> None:
    starts = 0

    async def failing_once() -> Zygote:
        nonlocal starts
        starts += 1
        if starts == 2:
            raise ZygoteError("not this time")
        return Lent(zygote)

    async with rotation(failing_once) as zygotes:
        zygotes.retry_seconds = 0.0
        first = zygotes.current
        await zygotes.spawn()
        await until(lambda: starts > 2)
        await until(lambda: zygotes.current is not first)


async def test_closing_ends_old_and_new_zygotes_and_one_that_boots() -> None:
    async with rotation() as zygotes:
        old = zygotes.current
        session = await zygotes.spawn()
        await until(lambda: zygotes.current is not old)
        other = await zygotes.spawn()  # and the next one boots
        pids = {old.pid, zygotes.current.pid, session.pid, other.pid}
    assert not alive(pids)
    with pytest.raises(SandboxClosed):
        await zygotes.spawn()


async def test_a_session_that_was_restarted_belongs_to_the_zygote_that_it_is_from_now() -> None:
    async with rotation() as zygotes:
        old = zygotes.current
        session = await zygotes.spawn()
        await until(lambda: zygotes.current is not old)
        await session.restart()
        await run(session, "x = 1")
        await until_standby(session)
        await run(session, "import os; os._exit(1)")  # goes on in a copy
        await until(lambda: not old.lives)
        assert alive({session.pid})
    assert not alive({session.pid})
