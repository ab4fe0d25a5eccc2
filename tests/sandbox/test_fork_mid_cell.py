"""Copies of a session whose cell waits for an answer: the cell ends in the copy, there and then."""

from __future__ import annotations

import asyncio
import json

import pytest

from rlm_kernel.errors import ForkFailed
from rlm_kernel.sandbox import Event, ExecutionResult, Limits, Session, Zygote
from tests.sandbox.sessions import run, session, until_standby

ASK = "from rlm_kernel.guest.host import call\n"


class Asking:
    """A cell that was started in a session, and has come to its question when it is entered."""

    def __init__(self, one: Session, code: str) -> None:
        self._session = one
        self._code = code
        self._asked = asyncio.Event()
        self._events: list[Event] = []

    async def __aenter__(self) -> Asking:
        self._cell = asyncio.create_task(self._run())
        await self._asked.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._session.interrupt()
        await self._cell

    async def answer(self, value: object) -> dict[str, object]:
        """Answers the question; the reply to the cell."""
        self._session.answer_input(json.dumps({"ok": value}))
        return await self._cell

    async def _run(self) -> dict[str, object]:
        self._session.on_event = self._take
        content = {"code": ASK + self._code, "allow_stdin": True}
        return (await self._session.request("execute_request", content, request_id="ask")).content

    def _take(self, event: Event) -> None:
        self._events.append(event)
        if event.kind == "input_request":
            self._asked.set()


async def value_in(one: Session, code: str) -> str | None:
    result: ExecutionResult = await run(one, code)
    assert result.status == "ok", result
    return result.result


async def test_nothing_of_the_cell_runs_twice(zygote: Zygote) -> None:
    async with session(zygote) as one, Asking(one, "x = [1]\ny = call('f', {})\nx += [2]") as cell:
        copy = await one.fork(mid_cell=True)
        try:
            assert await value_in(copy, "x, 'y' in globals()") == "([1], False)"
            assert await value_in(copy, "x.append('copy'); x") == "[1, 'copy']"
            assert (await cell.answer(5))["status"] == "ok"
            assert await value_in(one, "x, y") == "([1, 2], 5)"
        finally:
            await copy.close()


async def test_what_the_end_of_the_cell_says_in_the_copy_is_heard_by_nobody(zygote: Zygote) -> None:
    code = "try:\n    call('f', {})\nfinally:\n    print('leaving')"
    async with session(zygote) as one, Asking(one, code) as cell:
        copy = await one.fork(mid_cell=True)
        try:
            result = await run(copy, "print('next')")
            assert (result.stdout, result.stderr, result.execution_count) == ("next\n", "", 2)
        finally:
            await copy.close()
        await cell.answer(None)


async def test_many_copies_are_made_at_once(zygote: Zygote) -> None:
    async with session(zygote) as one, Asking(one, "x = 0\ncall('f', {})"):
        copies = await asyncio.gather(*(one.fork(mid_cell=True) for _ in range(5)))
        try:
            for number, copy in enumerate(copies):
                await run(copy, f"x += {number}")
            assert [await value_in(copy, "x") for copy in copies] == ["0", "1", "2", "3", "4"]
        finally:
            await asyncio.gather(*(copy.close() for copy in copies))


async def test_a_copy_has_a_standby_and_can_be_copied_within_a_cell_of_its_own(
    zygote: Zygote,
) -> None:
    async with session(zygote) as one, Asking(one, "x = 1\ncall('f', {})"):
        copy = await one.fork(mid_cell=True)
        try:
            await until_standby(copy)
            async with Asking(copy, "y = x + 1\ncall('f', {})"):
                grandchild = await copy.fork(mid_cell=True)
                assert await value_in(grandchild, "x, y") == "(1, 2)"
                await grandchild.close()
        finally:
            await copy.close()


async def test_entropy_is_renewed_in_a_copy(zygote: Zygote) -> None:
    async with session(zygote) as one, Asking(one, "import os\ncall('f', {})") as cell:
        copy = await one.fork(mid_cell=True)
        try:
            await cell.answer(None)
            drawn = [await value_in(each, "os.urandom(8), id") for each in (one, copy)]
            assert drawn[0] != drawn[1]
        finally:
            await copy.close()


async def test_a_cell_that_ignores_the_interrupt_cannot_be_left_and_is_not_hurt(
    zygote: Zygote,
) -> None:
    stubborn = (
        "while True:\n    try:\n        y = call('f', {})\n        break\n"
        "    except BaseException: pass"
    )
    async with (
        session(zygote, Limits(interrupt_grace=0.2)) as one,
        Asking(one, stubborn) as cell,
    ):
        with pytest.raises(ForkFailed, match="its cell ignores the interrupt"):
            await one.fork(mid_cell=True)
        assert (await cell.answer(7))["status"] == "ok"
        assert await value_in(one, "y") == "7"


async def test_a_cell_that_ends_its_process_in_the_copy_ends_the_copy_alone(zygote: Zygote) -> None:
    code = "import os\ntry:\n    call('f', {})\nexcept BaseException:\n    os._exit(1)"
    async with session(zygote) as one, Asking(one, code) as cell:
        with pytest.raises(ForkFailed):
            await one.fork(mid_cell=True)
        assert (await cell.answer(None))["status"] == "ok"


async def test_a_cell_that_asks_nothing_is_waited_for(zygote: Zygote) -> None:
    async with session(zygote) as one:
        started = asyncio.Event()
        one.on_event = lambda event: started.set()
        code = "print('started', flush=True)\nimport time; time.sleep(0.2)\nx = 1"
        cell = asyncio.create_task(
            one.request("execute_request", {"code": code}, request_id="sleeping")
        )
        await started.wait()
        copy = await one.fork(mid_cell=True)
        try:
            assert await value_in(copy, "x") == "1"
        finally:
            await copy.close()
        await cell
