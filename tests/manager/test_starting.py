"""While the zygote starts: what is answered, what waits, and what happens when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from rlm_kernel.errors import NotReady, ZygoteError
from rlm_kernel.manager import ManagerClient, ManagerServer
from rlm_kernel.sandbox import Zygote
from rlm_kernel.settings import ManagerSettings

SETTINGS = ManagerSettings.from_environment(host="127.0.0.1", port=0)


def server(start_zygote: Callable[[], Awaitable[Zygote]]) -> ManagerServer:
    return ManagerServer(SETTINGS, start_zygote=start_zygote)


def test_health_answers_at_once_and_what_needs_a_session_waits() -> None:
    async def scenario() -> None:
        begun, gate = asyncio.Event(), asyncio.Event()

        async def start_zygote() -> Zygote:
            begun.set()
            await gate.wait()
            return await Zygote.start()

        async with server(start_zygote) as manager, ManagerClient(manager.url) as client:
            early = asyncio.ensure_future(client.create_session())
            await begun.wait()
            assert (await client.health()).zygote == "starting"
            with pytest.raises(NotReady, match="starting"):
                await client.ready()
            assert not early.done()
            gate.set()
            session = await early
            assert (await client.execute(session.session_id, "6 * 7")).result == "42"
            assert (await client.health()).zygote == "ready"
            await client.ready()

    asyncio.run(scenario())


def test_a_failed_start_fails_those_who_wait_and_the_next_tries_again() -> None:
    attempts = 0

    async def scenario() -> None:
        async def start_zygote() -> Zygote:
            nonlocal attempts
            attempts += 1
            if attempts == 1:
                raise ZygoteError("no luck")
            return await Zygote.start()

        async with server(start_zygote) as manager, ManagerClient(manager.url) as client:
            with pytest.raises(ZygoteError, match="no luck"):
                await client.create_session()
            assert (await client.health()).zygote == "failed"
            with pytest.raises(NotReady, match="failed"):
                await client.ready()
            session = await client.create_session()
            assert (await client.execute(session.session_id, "1")).result == "1"

    asyncio.run(scenario())


def test_closing_while_it_starts_answers_those_who_wait() -> None:
    async def scenario() -> None:
        begun, never = asyncio.Event(), asyncio.Event()

        async def start_zygote() -> Zygote:
            begun.set()
            await never.wait()
            raise AssertionError

        async with server(start_zygote) as manager, ManagerClient(manager.url) as client:
            waiting = asyncio.ensure_future(client.create_session())
            await begun.wait()
            await manager.close()
            with pytest.raises(NotReady, match="closing down"):
                await waiting

    asyncio.run(scenario())


def test_a_bug_is_a_500_that_tells_nothing_of_it() -> None:
    async def scenario() -> None:
        async def start_zygote() -> Zygote:
            raise RuntimeError("the inner workings")

        async with server(start_zygote) as manager, ManagerClient(manager.url) as client:
            with pytest.raises(Exception, match="its log has the details") as caught:
                await client.create_session()
            assert "inner workings" not in str(caught.value)

    asyncio.run(scenario())


def test_closing_twice_is_fine() -> None:
    async def scenario() -> None:
        async with server(Zygote.start) as manager:
            await manager.close()

    asyncio.run(scenario())
