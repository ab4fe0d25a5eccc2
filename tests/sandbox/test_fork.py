"""Live copies of a session, and the frozen one that a killed cell falls back to."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

import pytest

from rlm_kernel.sandbox import Limits, Sandbox, Zygote
from rlm_kernel.sandbox.incarnation import Incarnation
from rlm_kernel.sandbox.process import SessionProcess
from tests.processes import alive, children_of, until_ended
from tests.sandbox.sessions import own_zygote, run, session, until_standby


def test_a_copy_has_all_that_the_original_has_and_goes_its_own_way() -> None:
    with Sandbox() as box:
        box.execute("x = [1]\nopen('file', 'w').write('both')\nf = open('file', 'a')")
        with box.fork() as copy:
            copy.execute("x.append(2)\nf.write(' copy')\nf.close()")
            box.execute("f.close()")
            shown = [b.execute("x, open('file').read()").result for b in (box, copy)]
    assert shown == ["([1], 'both')", "([1, 2], 'both copy')"]


def test_a_copy_outlives_the_original_and_can_be_copied_itself() -> None:
    with Sandbox() as box:
        box.execute("x = 1")
        copy = box.fork()
    with copy, copy.fork() as grandchild:
        assert (copy.execute("x").result, grandchild.execute("x").result) == ("1", "1")


def test_tasks_go_on_in_both() -> None:
    with Sandbox() as box:
        box.execute(
            "import asyncio\nasync def later():\n    await gate.wait()\n    return 'done'\n"
            "gate = asyncio.Event()\ntask = asyncio.create_task(later())"
        )
        with box.fork() as copy:
            ended = [b.execute("gate.set()\nawait task").result for b in (box, copy)]
    assert ended == ["'done'", "'done'"]


def test_a_copy_can_be_interrupted_and_shows_text_as_it_comes() -> None:
    with Sandbox() as box, box.fork() as copy:
        result = copy.execute(
            "print('now', end='')\nwhile True: pass",
            on_event=lambda event: copy.interrupt() if event.kind == "stream" else None,
        )
    assert result.stdout == "now"
    assert result.error is not None
    assert result.error.ename == "KeyboardInterrupt"


async def test_a_copy_keeps_no_room_for_a_file_on_its_way_to_the_original(zygote: Zygote) -> None:
    free = "import os; s = os.statvfs('/'); s.f_bavail * s.f_bsize >> 20"
    async with session(zygote) as one:
        before = (await run(one, free)).result
        upload = one.upload("file")
        await upload.write(bytes(12 << 20))
        copy = await one.fork()
        try:
            assert (await run(copy, free)).result == before
        finally:
            await copy.close()
        await upload.finish()
        assert (await run(one, "os.path.getsize('file') >> 20")).result == "12"


async def test_a_cell_that_is_killed_costs_only_itself(zygote: Zygote) -> None:
    async with session(zygote, Limits(interrupt_grace=0.1, cpu_seconds=0.5)) as one:
        await run(one, "x = 1\nopen('file', 'w').write('before')")
        await until_standby(one)
        stubborn = "while True:\n    try:\n        while True: pass\n    except: pass"
        killed = await run(one, "x = 2\nopen('file', 'w').write('after')\n" + stubborn)
        assert (killed.status, killed.state) == ("timeout", "rolled_back")
        assert killed.error is not None
        assert "before this cell" in killed.error.evalue
        after = await run(one, "x, open('file').read()")
        assert (after.result, after.state) == ("(1, 'before')", "kept")


async def test_cells_that_a_standby_does_not_know_are_counted(
    zygote: Zygote, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with session(zygote) as one:
        await run(one, "x = 0")
        await until_standby(one)
        monkeypatch.setattr("rlm_kernel.sandbox.session.STANDBY_DELAY", 3600)
        for number in (1, 2):  # in too quick a succession to be copied
            await run(one, f"x = {number}")
        killed = await run(one, "import os; os._exit(1)")
        assert killed.error is not None
        assert killed.state == "rolled_back"
        assert "before the last 3 cells" in killed.error.evalue
        assert (await run(one, "x")).result == "0"


async def test_other_requests_are_not_counted_as_cells(
    zygote: Zygote, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with session(zygote) as one:
        await run(one, "x = 0")
        await until_standby(one)
        monkeypatch.setattr("rlm_kernel.sandbox.session.STANDBY_DELAY", 3600)
        await one.request("is_complete_request", {"code": "1"}, request_id="other")
        assert not one.has_standby
        killed = await run(one, "import os; os._exit(1)")
        assert killed.error is not None
        assert "before this cell" in killed.error.evalue


async def test_a_file_that_was_put_just_before_is_there_after_a_cell_that_is_killed(
    zygote: Zygote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rlm_kernel.sandbox.session.STANDBY_DELAY", 3600)
    async with session(zygote) as one:
        await run(one, "x = 1")
        await one.put_file("new", b"content")
        killed = await run(one, "import os; os._exit(1)")
        assert killed.error is not None
        assert killed.error.evalue.endswith("It is back in the state before this cell.")
        assert (await run(one, "x, open('new').read()")).result == "(1, 'content')"


async def test_a_file_that_no_standby_knows_is_said_to_be_gone(
    zygote: Zygote, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(self: Incarnation) -> None:
        raise ConnectionError

    async with session(zygote) as one:
        await run(one, "x = 1")
        await until_standby(one)
        monkeypatch.setattr(Incarnation, "renew_standby", fail)
        await one.put_file("new", b"content")
        killed = await run(one, "import os; os._exit(1)")
        assert killed.error is not None
        assert killed.error.evalue.endswith("this cell, and before files that were put since.")
        assert (await run(one, "import os; x, os.path.exists('new')")).result == "(1, False)"


async def test_a_session_that_dies_between_two_cells_comes_back_and_says_so(zygote: Zygote) -> None:
    async with session(zygote) as one:
        await run(one, "x = 1")
        await until_standby(one)
        os.kill(one.pid, signal.SIGKILL)
        first, second = await run(one, "x"), await run(one, "x")
        assert (first.state, second.state, second.result) == ("rolled_back", "kept", "1")


async def test_a_standby_that_was_killed_too_is_not_said_to_be_there(zygote: Zygote) -> None:
    async with session(zygote) as one:
        for number in range(5):
            await run(one, f"x = {number}")
            await until_standby(one)
            for pid in (one.pid, *children_of(one.pid)):
                with contextlib.suppress(ProcessLookupError):  # a standby before it has just gone
                    os.kill(pid, signal.SIGKILL)
            after = await run(one, "'x' in globals()")
            assert (after.state, after.result) in (("lost", None), ("lost", "False"))


async def test_a_restart_while_a_standby_wakes_still_ends_in_a_fresh_process(
    zygote: Zygote,
) -> None:
    async with session(zygote) as one:
        await run(one, "x = 1")
        await until_standby(one)
        (frozen,) = children_of(one.pid)
        os.kill(frozen, signal.SIGSTOP)
        dying = asyncio.create_task(run(one, "import os; os._exit(1)"))
        await until_ended({one.pid})
        restart = asyncio.create_task(one.restart())
        await asyncio.sleep(0)
        os.kill(frozen, signal.SIGCONT)
        await restart
        assert (await dying).state == "lost"
        assert (await run(one, "'x' in globals()")).result == "False"
        await until_ended({frozen})


async def test_without_a_standby_the_loss_is_told(zygote: Zygote) -> None:
    async with session(zygote, Limits(standby=False)) as one:
        await run(one, "x = 1")
        assert (await run(one, "import os; os._exit(1)")).state == "lost"
        assert (await run(one, "'x' in globals()")).result == "False"


async def test_a_restart_does_not_bring_old_variables_back(zygote: Zygote) -> None:
    async with session(zygote) as one:
        await run(one, "x = 1")
        await until_standby(one)
        await one.restart()
        assert (await run(one, "'x' in globals()")).result == "False"


async def test_a_copy_that_is_made_during_a_restart_does_not_bring_them_back_either(
    zygote: Zygote, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied, go_on = asyncio.Event(), asyncio.Event()
    make_copy = SessionProcess.copy

    async def slow_copy(process: SessionProcess) -> SessionProcess:
        copy = await make_copy(process)
        copied.set()
        await go_on.wait()
        return copy

    async with session(zygote) as one:
        monkeypatch.setattr(SessionProcess, "copy", slow_copy)
        await run(one, "x = 1")
        await copied.wait()
        restart = asyncio.create_task(one.restart())
        await until_ended({one.pid})
        go_on.set()
        await restart
        assert (await run(one, "'x' in globals()")).result == "False"


async def test_a_frozen_copy_does_nothing_until_it_is_needed(zygote: Zygote) -> None:
    async with session(zygote) as one:
        await run(
            one,
            "import asyncio, itertools, time\nticks = [time.monotonic()]\nasync def tick():\n"
            "    while True:\n        ticks.append(time.monotonic())\n"
            "        await asyncio.sleep(0.001)\n"
            "task = asyncio.create_task(tick())",
        )
        await until_standby(one)
        await asyncio.sleep(0.3)
        await run(one, "import os; os._exit(1)")
        await run(one, "n = len(ticks)\nwhile len(ticks) == n: await asyncio.sleep(0)")
        pause = await run(one, "max(b - a for a, b in itertools.pairwise(ticks))")
        assert float(pause.result or 0) >= 0.3


async def test_closing_leaves_no_copy_behind() -> None:
    async with own_zygote() as source:
        one = await source.spawn()
        await run(one, "x = 1")
        await until_standby(one)
        copy = await one.fork()
        pids = {one.pid, copy.pid, *children_of(one.pid)}
        assert len(alive(pids)) == 3
    assert not alive(pids)


async def test_the_zygote_takes_over_a_copy_whose_original_ends(zygote: Zygote) -> None:
    async with session(zygote, Limits(standby=False)) as original:
        copy = await original.fork()
        assert copy.pid not in children_of(zygote.pid)
        await original.close()
        await until_ended({original.pid})
        assert copy.pid in children_of(zygote.pid)
        await copy.close()
