"""Work of the owner's that waits in line with the requests of clients."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rlm_kernel.errors import ForkFailed, RequestAborted
from rlm_kernel.kernel import Kernel
from rlm_kernel.sandbox import Reply
from tests.kernel.recording import RecordingSession


class Note:
    """Work that notes which cells had been run when it was done."""

    def __init__(self, session: RecordingSession) -> None:
        self.seen: list[str] = []
        self._session = session

    async def __call__(self) -> str:
        self.seen += [content["code"] for _, content in self._session.requests]
        return "done"


async def test_it_is_done_between_the_requests_before_and_after_it() -> None:
    session = RecordingSession()
    kernel, note = Kernel(session), Note(session)
    before, errand, after = await asyncio.gather(
        kernel.execute("before"), kernel.in_turn(note), kernel.execute("after")
    )
    assert (errand, note.seen) == ("done", ["before"])
    assert (before.status, after.status) == ("ok", "ok")


async def test_what_it_raises_is_its_callers_and_keeps_nobody_from_being_served() -> None:
    async def fail() -> None:
        raise ForkFailed("no")

    kernel = Kernel(RecordingSession())
    failed, executed = await asyncio.gather(
        kernel.in_turn(fail), kernel.execute("1"), return_exceptions=True
    )
    assert isinstance(failed, ForkFailed)
    assert not isinstance(executed, BaseException)


async def test_one_that_is_given_up_in_line_is_not_done() -> None:
    session = RecordingSession()
    kernel, note = Kernel(session), Note(session)
    waiting = asyncio.create_task(kernel.in_turn(note))
    await asyncio.sleep(0)
    waiting.cancel()
    await kernel.execute("after")
    assert (waiting.cancelled(), note.seen) == (True, [])


async def test_one_that_is_given_up_at_work_is_done_and_keeps_nobody_from_being_served() -> None:
    kernel, begun, go_on = Kernel(RecordingSession()), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await go_on.wait()
        begun.clear()

    working = asyncio.create_task(kernel.in_turn(work))
    await begun.wait()
    working.cancel()
    after = asyncio.create_task(kernel.execute("after"))
    go_on.set()
    assert (await after).status == "ok"
    assert not begun.is_set()


async def test_a_cell_that_is_given_up_may_be_interrupted_in_its_session() -> None:
    class Slow(RecordingSession):
        async def request(self, *arguments: Any, **options: Any) -> Reply:
            self.running = options["request_id"]
            begun.set()
            await go_on.wait()
            return Reply({"status": "ok"})

        def interrupt(self, request_id: str | None = None) -> None:
            assert request_id == self.running
            go_on.set()

    begun, go_on = asyncio.Event(), asyncio.Event()
    kernel = Kernel(Slow())
    cell = asyncio.create_task(kernel.execute("1", interrupt_when_cancelled=True))
    await begun.wait()
    cell.cancel()
    await go_on.wait()


async def test_a_restart_aborts_what_waits() -> None:
    session = RecordingSession()
    kernel, note = Kernel(session), Note(session)
    waiting = asyncio.create_task(kernel.in_turn(note))
    await asyncio.sleep(0)
    await kernel.restart()
    with pytest.raises(RequestAborted):
        await waiting
    assert note.seen == []
