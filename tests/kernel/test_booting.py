"""A session that can be asked before it is there."""

from __future__ import annotations

import asyncio

import pytest

from rlm_kernel.errors import SandboxClosed, ZygoteError
from rlm_kernel.kernel.booting import BootingSession
from rlm_kernel.sandbox import Event, Reply
from tests.kernel.recording import RecordingSession


class Nursery:
    """Boots when told to, and gives one recording session."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.may_boot = asyncio.Event()
        self.session = RecordingSession()
        self.closed = False

    async def boot(self) -> Nursery:
        await self.may_boot.wait()
        if self.failures:
            self.failures -= 1
            raise ZygoteError("no luck")
        return self

    async def spawn(self) -> RecordingSession:
        return self.session

    async def close(self) -> None:
        self.closed = True


async def _ask(session: BootingSession) -> Reply:
    return await session.request("execute_request", {"code": "1"}, request_id="1")


def test_a_request_waits_for_the_boot() -> None:
    async def story() -> None:
        nursery = Nursery()
        session = BootingSession(nursery.boot)
        asked = asyncio.create_task(_ask(session))
        await asyncio.sleep(0)
        assert nursery.session.requests == []
        nursery.may_boot.set()
        assert (await asked).content["status"] == "ok"
        await session.close()
        assert (nursery.closed, nursery.session.closed) == (True, True)

    asyncio.run(story())


def test_events_of_the_booted_session_reach_the_listener() -> None:
    async def story() -> None:
        nursery, heard = Nursery(), list[Event]()
        session = BootingSession(nursery.boot)
        session.on_event = heard.append
        nursery.may_boot.set()
        await _ask(session)
        event = Event("stream", "1", {"name": "stdout", "text": "x"})
        assert nursery.session.on_event is not None
        nursery.session.on_event(event)
        assert heard == [event]
        await session.close()

    asyncio.run(story())


def test_a_failed_boot_is_told_and_the_next_request_boots_anew() -> None:
    async def story() -> None:
        nursery = Nursery(failures=1)
        session = BootingSession(nursery.boot)
        nursery.may_boot.set()
        with pytest.raises(ZygoteError, match="no luck"):
            await _ask(session)
        assert (await _ask(session)).content["status"] == "ok"
        await session.close()

    asyncio.run(story())


def test_an_interrupt_ends_the_wait_and_the_boot_goes_on() -> None:
    async def story() -> None:
        nursery, heard = Nursery(), list[Event]()
        session = BootingSession(nursery.boot)
        session.on_event = heard.append
        asked = asyncio.create_task(_ask(session))
        await asyncio.sleep(0)
        session.interrupt()
        assert (await asked).content["ename"] == "KeyboardInterrupt"
        assert [event.kind for event in heard] == ["error"]
        nursery.may_boot.set()
        assert (await _ask(session)).content["status"] == "ok"
        session.interrupt()
        assert nursery.session.interrupts == 1
        await session.close()

    asyncio.run(story())


def test_closing_ends_the_boot_and_the_wait_for_it() -> None:
    async def story() -> None:
        session = BootingSession(Nursery().boot)
        asked = asyncio.create_task(_ask(session))
        await asyncio.sleep(0)
        await session.close()
        with pytest.raises(SandboxClosed):
            await asked
        with pytest.raises(SandboxClosed):
            await _ask(session)

    asyncio.run(story())


def test_a_restart_and_answers_go_to_the_booted_session() -> None:
    async def story() -> None:
        nursery = Nursery()
        session = BootingSession(nursery.boot)
        session.answer_input("nobody asked")
        await session.restart()
        nursery.may_boot.set()
        await _ask(session)
        session.answer_input("yes")
        await session.restart()
        assert (nursery.session.answers, nursery.session.restarts) == (["yes"], 1)
        await session.close()

    asyncio.run(story())


@pytest.mark.parametrize("turns", range(6))
def test_an_interrupt_at_any_turn_of_the_boot_reaches_the_request_that_waits(turns: int) -> None:
    async def story() -> None:
        nursery = Nursery()
        session = BootingSession(nursery.boot)
        asked = asyncio.create_task(_ask(session))
        await asyncio.sleep(0)
        nursery.may_boot.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        served = bool(nursery.session.requests)
        session.interrupt()
        reply = await asked
        assert served or reply.content["ename"] == "KeyboardInterrupt"
        await session.close()

    asyncio.run(story())


def test_what_a_session_came_from_is_closed_where_it_gives_none() -> None:
    class Barren(Nursery):
        async def spawn(self) -> RecordingSession:
            raise ZygoteError("cannot fork")

    async def story() -> None:
        nursery = Barren()
        nursery.may_boot.set()
        session = BootingSession(nursery.boot)
        with pytest.raises(ZygoteError):
            await _ask(session)
        assert nursery.closed
        await session.close()

    asyncio.run(story())


def test_requests_that_waited_for_a_boot_that_failed_boot_once_more_together() -> None:
    async def ask_again(session: BootingSession) -> Reply:
        with pytest.raises(ZygoteError):
            await _ask(session)
        return await _ask(session)

    async def story() -> int:
        nursery = Nursery(failures=1)
        boots: list[Nursery] = []

        async def boot() -> Nursery:
            booted = await nursery.boot()
            await asyncio.sleep(0)
            boots.append(booted)
            return booted

        nursery.may_boot.set()
        session = BootingSession(boot)
        await asyncio.gather(*(ask_again(session) for _ in range(3)))
        await session.close()
        return len(boots)

    assert asyncio.run(story()) == 1
