"""The zygote: forks, its own death, and what it leaves behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import subprocess
import sys
import time

import pytest

from rlm_kernel.errors import SandboxClosed, ZygoteError
from rlm_kernel.sandbox import Event, Session, Zygote
from rlm_kernel.sandbox.observer import Observer
from rlm_kernel.sandbox.process import SessionProcess
from tests.processes import alive, children_of, descendants_of
from tests.sandbox.sessions import own_zygote, session


async def run(session: Session, code: str, request_id: str = "r") -> list[Event]:
    events: list[Event] = []
    session.on_event = events.append
    await session.request("execute_request", {"code": code}, request_id=request_id)
    return events


async def test_sessions_outlive_their_zygote_and_new_ones_come_from_the_next() -> None:
    zygote = await Zygote.start()
    try:
        old = await zygote.spawn()
        await run(old, "x = 1")
        os.kill(zygote.pid, signal.SIGKILL)
        new = await zygote.spawn()
        kinds = [[e.kind for e in await run(s, "x")] for s in (old, new)]
        assert [("execute_result" in k, "error" in k) for k in kinds] == [
            (True, False),
            (False, True),
        ]
    finally:
        await zygote.close()


async def test_closing_ends_every_process_and_stays_closed() -> None:
    zygote = await Zygote.start()
    sessions = await asyncio.gather(*(zygote.spawn() for _ in range(5)))
    pids = {zygote.pid, *(session.pid for session in sessions)}
    assert len(alive(pids)) == 6
    await zygote.close()
    await zygote.close()
    assert not alive(pids)
    with pytest.raises(SandboxClosed):
        await zygote.spawn()


async def test_a_zygote_that_is_killed_while_it_boots_costs_nobody_a_session() -> None:
    start = asyncio.create_task(Zygote.start())
    os.kill(await next_child(set()), signal.SIGKILL)
    zygote = await start
    try:
        os.kill(zygote.pid, signal.SIGKILL)
        spawning = asyncio.create_task(zygote.spawn())
        os.kill(await next_child({zygote.pid}), signal.SIGKILL)
        assert "1" in str(await run(await spawning, "1"))
    finally:
        await zygote.close()


async def test_zygotes_that_are_killed_as_soon_as_they_work_cost_nobody_a_session() -> None:
    class Doomed(Zygote):
        kills = 2

        async def _ask_for_fork(self) -> SessionProcess:
            if self.kills:
                self.kills -= 1
                os.kill(self.pid, signal.SIGKILL)
            return await super()._ask_for_fork()

    deaths = Deaths()
    zygote = await Doomed.start(observer=deaths)
    try:
        assert "1" in str(await run(await zygote.spawn(), "1"))
        assert isinstance(zygote, Doomed)
        assert (zygote.kills, deaths.count) == (0, 2)
    finally:
        await zygote.close()


class Deaths(Observer):
    count = 0

    def zygote_died(self) -> None:
        self.count += 1


async def test_a_zygote_that_always_ends_while_it_boots_is_an_error() -> None:
    class EndsAtOnce(Zygote):
        module = "this"

    deaths = Deaths()
    with pytest.raises(ZygoteError, match="did not start: the zygote ended"):
        await EndsAtOnce.start(observer=deaths)
    assert deaths.count == 2  # and the third is the error


async def next_child(known: set[int]) -> int:
    """The first child that is not among those there are, or among `known`."""
    before = children_of(os.getpid()) | known
    while not (started := children_of(os.getpid()) - before):  # noqa: ASYNC110
        await asyncio.sleep(0)  # nothing tells when a process starts
    return started.pop()


async def test_a_start_that_is_given_up_leaves_no_process() -> None:
    start = asyncio.create_task(Zygote.start())
    started = await next_child(set())
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert not alive({started})


async def test_output_of_a_task_belongs_to_the_cell_that_made_it(zygote: Zygote) -> None:
    async with session(zygote) as one:
        code = (
            "import asyncio\nasync def tick():\n    while not gone: await asyncio.sleep(0.001)\n"
            "    print('tick')\ngone = False\ntask = asyncio.create_task(tick())"
        )
        await run(one, code, "first")
        events = await run(one, "gone = True\nawait task", "second")
        assert [(e.request_id, e.content["text"]) for e in events if e.kind == "stream"] == [
            ("first", "tick\n")
        ]


def test_everything_ends_when_the_owner_is_killed() -> None:
    code = (
        "import os, time\nfrom rlm_kernel.sandbox import Sandbox\nbox = Sandbox()\n"
        "print(box.pid, flush=True)\nbox.execute('while True: pass')"
    )
    owner = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    with owner.stdout:
        session = int(owner.stdout.readline())
        family = descendants_of(owner.pid) | {session}
        owner.kill()
        owner.wait()
        while alive(family):
            time.sleep(0.005)


async def test_an_unshared_zygote_gives_sessions_that_can_do_the_same() -> None:
    zygote = await Zygote.start(shared=False)
    try:
        session = await zygote.spawn()
        assert "execute_result" in [event.kind for event in await run(session, "6 * 7")]
        code = {"code": "''.upp", "cursor_pos": 6}
        reply = await session.request("complete_request", code, request_id="c")
        assert reply.content["matches"] == ["upper"]
    finally:
        await zygote.close()


async def test_a_want_of_descriptors_is_told_and_leaves_the_zygote_as_it_is() -> None:
    async with own_zygote() as zygote:
        pid = zygote.pid
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        fillers = [os.open(os.devnull, os.O_RDONLY)]
        resource.setrlimit(resource.RLIMIT_NOFILE, (fillers[0] + 1, hard))
        try:
            with contextlib.suppress(OSError):
                while True:
                    fillers.append(os.open(os.devnull, os.O_RDONLY))
            with pytest.raises(ZygoteError, match="no session can be forked"):
                await zygote.spawn()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for filler in fillers:
                os.close(filler)
        assert [event.kind for event in await run(await zygote.spawn(), "1")] != []
        assert zygote.pid == pid
