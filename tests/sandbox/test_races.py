"""What is given up, ended or begun anew in the middle of something else."""

from __future__ import annotations

import asyncio

import pytest

from rlm_kernel.errors import SandboxClosed
from rlm_kernel.sandbox import Event, Limits, Session, Zygote
from tests.processes import alive
from tests.sandbox.sessions import own_zygote, run, session

NO_STANDBY = Limits(interrupt_grace=0.2, standby=False)
BUSY = Limits(interrupt_grace=0.2, standby=False, cpu_seconds=0.3)
"""The processor's time, of which neighbours take none: what it ends has begun."""

STUBBORN = """
shown = False
while True:
    try:
        if not shown:
            shown = True
            print('on')
        while True: pass
    except: pass
"""


async def begin(session: Session, code: str, request_id: str) -> asyncio.Task[object]:
    """Starts a cell and waits for its first output."""
    begun = asyncio.Event()

    def take(event: Event) -> None:
        if event.kind == "stream":
            begun.set()

    session.on_event = take
    request = session.request("execute_request", {"code": code}, request_id=request_id)
    cell: asyncio.Task[object] = asyncio.create_task(request)
    await begun.wait()
    return cell


async def give_up(task: asyncio.Task[object]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_fork_that_nobody_waits_for_does_not_mix_up_those_after_it(zygote: Zygote) -> None:
    for _ in range(5):
        forking: asyncio.Task[object] = asyncio.create_task(zygote.spawn())
        await asyncio.sleep(0)
        await give_up(forking)
    async with session(zygote) as one, session(zygote, BUSY) as two:
        await run(one, "x = 1")
        killed = await run(two, STUBBORN)
        assert (killed.state, (await run(one, "x")).result) == ("lost", "1")


async def test_code_whose_request_is_given_up_is_stopped_and_the_next_cell_runs(
    zygote: Zygote,
) -> None:
    async with session(zygote, NO_STANDBY) as one:
        await run(one, "x = 1")
        await give_up(await begin(one, "print('on')\nwhile True: pass", "given up"))
        assert (await run(one, "x")).result == "1"
        await give_up(await begin(one, STUBBORN, "stubborn"))
        after = await run(one, "'x' in globals()")
        assert (after.result, after.state) == ("False", "lost")


async def test_a_request_given_up_in_line_never_runs(zygote: Zygote) -> None:
    async with session(zygote) as one:
        first = await begin(one, "print('on')\nwhile True: pass", "first")
        waiting: asyncio.Task[object] = asyncio.create_task(
            one.request("execute_request", {"code": "ran = True"}, request_id="waiting")
        )
        await asyncio.sleep(0)
        await give_up(waiting)
        one.interrupt()
        await first
        assert (await run(one, "'ran' in globals()")).result == "False"


async def test_a_restart_answers_what_runs_and_what_waits(zygote: Zygote) -> None:
    async with session(zygote) as one:
        running = await begin(one, "print('on')\nwhile True: pass", "running")
        waiting = asyncio.create_task(
            one.request("execute_request", {"code": "y = 1"}, request_id="waiting")
        )
        await asyncio.sleep(0)
        await one.restart()
        replies = [await running, await waiting]
        assert [reply.state for reply in replies] == ["lost", "lost"]  # type: ignore[attr-defined]
        after = await run(one, "'y' in globals()")
        assert (after.result, after.state) == ("False", "kept")


async def test_closing_while_a_lost_process_is_replaced_leaves_nothing(zygote: Zygote) -> None:
    async with session(zygote, NO_STANDBY) as one:
        await run(one, "import os; os._exit(1)")
        cell = asyncio.create_task(run(one, "while True: pass"))
        await asyncio.sleep(0)
        await one.close()
        with pytest.raises(SandboxClosed):
            await cell
        assert not alive({one.pid})


async def test_closing_a_zygote_that_forks_leaves_nothing() -> None:
    async with own_zygote() as source:
        forking = asyncio.create_task(source.spawn())
        await asyncio.sleep(0)
        await source.close()
        (outcome,) = await asyncio.gather(forking, return_exceptions=True)
        assert isinstance(outcome, SandboxClosed) or not alive({outcome.pid})  # type: ignore[union-attr]
