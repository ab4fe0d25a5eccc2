"""The number of a cell, told by whoever knows it first, and told once."""

from __future__ import annotations

import pytest

from rlm_kernel.guest.frames import Frame
from rlm_kernel.guest.prompt_fields import NEXT_COUNT, TOLD_COUNT
from rlm_kernel.sandbox import Event, Session, Zygote
from rlm_kernel.sandbox.prompt import Prompt
from tests.sandbox.sessions import run, session

PROCESS, ANOTHER = object(), object()


def cell(**content: object) -> Frame:
    return Frame("execute_request", "id", {"code": "1", **content})


async def inputs(one: Session, *codes: str) -> list[int]:
    """What each cell's `execute_input` said; the reply of each must agree."""
    said: list[int] = []

    def take(event: Event) -> None:
        if event.kind == "execute_input":
            said.append(event.content["execution_count"])

    one.on_event = take
    for number, code in enumerate(codes):
        reply = await one.request("execute_request", {"code": code}, request_id=f"cell {number}")
        assert NEXT_COUNT not in reply.content
        assert reply.content.get("execution_count", said[-1]) == said[-1]
    return said


async def test_each_cell_is_told_of_once(zygote: Zygote) -> None:
    async with session(zygote) as one:
        assert await inputs(one, "1", "1 / 0", "'" + "x" * 100_000 + "'", "1") == [1, 2, 3, 4]


async def test_a_count_that_code_has_changed_is_told_right(zygote: Zygote) -> None:
    async with session(zygote) as one:
        assert await inputs(one, "1", "get_ipython().execution_count = 40", "1") == [1, 2, 40]


async def test_a_count_that_changes_between_cells_is_set_right(zygote: Zygote) -> None:
    later = (
        "import asyncio\nasync def change():\n    get_ipython().execution_count = 40\n"
        "asyncio.ensure_future(change())"
    )
    async with session(zygote) as one:
        assert await inputs(one, "1", later, "1") == [1, 2, 3, 40]


@pytest.mark.parametrize("count", ["'7'", "None", "7.0"])
async def test_a_count_that_is_no_number_is_refused_where_it_is_set(
    zygote: Zygote, count: str
) -> None:
    async with session(zygote) as one:
        result = await run(one, f"get_ipython().execution_count = {count}")
        assert result.error is not None
        assert result.error.ename == "TraitError"
        assert await inputs(one, "1", "1") == [2, 3]


async def test_a_fresh_process_counts_anew(zygote: Zygote) -> None:
    async with session(zygote) as one:
        assert await inputs(one, "1", "1") == [1, 2]
        await one.restart()
        assert await inputs(one, "1", "1") == [1, 2]


async def test_silent_cells_show_no_input_and_count_nothing(zygote: Zygote) -> None:
    async with session(zygote) as one:
        await inputs(one, "1")
        silent = {"code": "1", "silent": True}
        await one.request("execute_request", silent, request_id="silent")
        assert await inputs(one, "1") == [2]


def test_of_another_process_nothing_is_known() -> None:
    prompt = Prompt()
    assert prompt.announce(PROCESS, cell()) == (cell(), None)
    prompt.note(PROCESS, {NEXT_COUNT: 7})
    assert prompt.announce(ANOTHER, cell()) == (cell(), None)
    sent, told = prompt.announce(PROCESS, cell())
    assert sent.content[TOLD_COUNT] == 7
    assert told == Event("execute_input", "id", {"code": "1", "execution_count": 7})


@pytest.mark.parametrize("number", [None, "7", 7.0, True, [7]])
def test_what_is_no_number_is_not_told(number: object) -> None:
    prompt = Prompt()
    prompt.note(PROCESS, {NEXT_COUNT: number})
    assert prompt.announce(PROCESS, cell()) == (cell(), None)


@pytest.mark.parametrize(
    "frame",
    [cell(silent=True), cell(code=None), Frame("complete_request", "id", {"code": "1"})],
    ids=["silent", "no code", "no cell"],
)
def test_what_shows_no_input_is_not_told(frame: Frame) -> None:
    prompt = Prompt()
    prompt.note(PROCESS, {NEXT_COUNT: 7})
    assert prompt.announce(PROCESS, frame) == (frame, None)
