"""Sessions that wait to be taken: which are given away, and what becomes of the others."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from rlm_kernel.errors import ZygoteError
from rlm_kernel.manager.pool import Pool
from rlm_kernel.sandbox import Session, Zygote
from tests.manager.process import ManagerProcess
from tests.processes import alive, until_ended
from tests.sandbox.sessions import run


@asynccontextmanager
async def a_pool(spawn: Callable[[], Awaitable[Session]], size: int) -> AsyncIterator[Pool]:
    pool = Pool(spawn, size)
    try:
        yield pool
    finally:
        await pool.close()


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - nobody tells of it
        await asyncio.sleep(0.005)


async def filled(pool: Pool, size: int) -> None:
    pool.fill()
    await until(lambda: len(pool) == size)


async def test_one_that_is_taken_is_fresh_and_replaced(
    runner: asyncio.Runner, zygote: Zygote
) -> None:
    async with a_pool(zygote.spawn, 2) as pool:
        await filled(pool, 2)
        sessions = [await pool.take() for _ in range(3)]
        numbers = {
            (await run(session, "__import__('os').urandom(8)")).result for session in sessions
        }
        assert len(numbers) == 3
        await until(lambda: len(pool) == 2)
        for session in sessions:
            await session.close()


async def test_one_that_has_died_is_not_given_away(runner: asyncio.Runner, zygote: Zygote) -> None:
    spawned: list[Session] = []

    async def spawn() -> Session:
        spawned.append(await zygote.spawn())
        return spawned[-1]

    async with a_pool(spawn, 2) as pool:
        await filled(pool, 2)
        os.kill(spawned[0].pid, signal.SIGKILL)
        await until(lambda: not spawned[0].lives)
        session = await pool.take()
        assert session is spawned[1]
        assert (await run(session, "1")).state == "kept"
        await session.close()


async def test_a_better_source_replaces_all_and_the_one_that_is_on_its_way(
    runner: asyncio.Runner, zygote: Zygote
) -> None:
    spawned: list[Session] = []
    gate = asyncio.Event()

    async def spawn() -> Session:
        session = await zygote.spawn()
        spawned.append(session)
        if len(spawned) == 3:
            await gate.wait()
        return session

    async with a_pool(spawn, 3) as pool:
        pool.fill()
        await until(lambda: len(spawned) == 3)
        pool.renew()
        assert len(pool) == 0
        gate.set()
        await until(lambda: len(pool) == 3)
        await until_ended({session.pid for session in spawned[:3]})
        assert (await pool.take()).pid in {session.pid for session in spawned[3:]}


async def test_where_none_can_be_made_the_next_to_take_one_tries_again(
    runner: asyncio.Runner, zygote: Zygote, caplog: pytest.LogCaptureFixture
) -> None:
    attempts = 0

    async def spawn() -> Session:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise ZygoteError("no luck")
        return await zygote.spawn()

    async with a_pool(spawn, 1) as pool:
        pool.fill()
        await until(lambda: bool(caplog.records))
        assert caplog.messages == ["no session could be made ready: no luck"]
        session = await pool.take()
        await until(lambda: len(pool) == 1)
        await session.close()


async def test_closing_ends_those_that_are_ready_and_no_more_come(
    runner: asyncio.Runner, zygote: Zygote
) -> None:
    pids: set[int] = set()

    async def spawn() -> Session:
        session = await zygote.spawn()
        pids.add(session.pid)
        return session

    async with a_pool(spawn, 2) as pool:
        await filled(pool, 2)
    assert alive(pids) == set()
    pool.fill()
    await asyncio.sleep(0)
    assert len(pool) == 0


def test_the_manager_keeps_some_ready_that_count_nowhere_and_end_with_their_zygote() -> None:
    environment = {
        "RLM_KERNEL_POOL": "3",
        "RLM_KERNEL_ZYGOTE_SESSIONS": "4",
        "RLM_KERNEL_STANDBY": "0",
        "MAX_SESSIONS": "1",
    }
    with (
        ManagerProcess(environment=environment) as manager,
        httpx.Client(base_url=manager.url, trust_env=False, timeout=60) as http,
    ):
        while len(ready := manager.descendants() - manager.children()) < 3:
            threading.Event().wait(0.01)
        assert http.get("/sessions").json()["sessions"] == []
        (old,) = manager.children()
        session = f"/session/{http.post('/session').json()['session_id']}"
        assert http.post("/session").status_code == 429
        while len(alive(ready)) > 1 or len(manager.descendants()) != 6:
            threading.Event().wait(0.01)  # two zygotes, the session, and three that are new
        assert http.delete(session).status_code == 204
        while alive(ready | {old}):
            threading.Event().wait(0.01)
        assert manager.stop() == 0, manager.log()
