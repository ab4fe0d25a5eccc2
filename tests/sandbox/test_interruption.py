"""Interrupts and time limits: what ends a cell, and what is left of the session."""

from __future__ import annotations

import asyncio
import re
import threading
import time

import pytest

from rlm_kernel.sandbox import Event, ExecutionResult, Limits, Sandbox, Zygote
from rlm_kernel.sandbox.capture import ExecutionError
from rlm_kernel.sandbox.process import SessionProcess
from tests.sandbox.sessions import DEAF, run, session

SLEEP = {"code": "import time; time.sleep(60)"}


@pytest.mark.parametrize(
    "code",
    [
        "while True: pass",
        "import time; time.sleep(60)",
        "import asyncio; await asyncio.sleep(60)",
        "import asyncio\nasync def spin():\n    while True: await asyncio.sleep(0)\nawait spin()",
        "input('never answered')",
        "sum(i * i for i in range(10**12))",
        "for i in iter(int, 1): print(i)",
    ],
)
def test_an_interrupt_ends_the_cell_and_keeps_the_variables(box: Sandbox, code: str) -> None:
    box.execute("before = 1")
    answers: list[str] = []

    def wait(prompt: str, secret: bool) -> str:
        while not answers:
            time.sleep(0.01)
        return answers[0]

    def interrupt(event: Event) -> None:
        if event.kind == "execute_input":
            box.interrupt()

    result = box.execute(code, on_event=interrupt, on_input=wait)
    answers.append("too late")
    assert result.error is not None
    assert (result.error.ename, result.state) == ("KeyboardInterrupt", "kept")
    assert box.execute("before").result == "1"


def test_an_interrupt_while_nothing_runs_is_forgotten(box: Sandbox) -> None:
    box.execute("x = 1")
    box.interrupt()
    assert box.execute("x").result == "1"


def test_a_time_limit_interrupts_and_says_so(box: Sandbox) -> None:
    box.execute("before = 1")
    result = box.execute("import time; time.sleep(60)", timeout=0.2)
    assert (result.status, result.state) == ("timeout", "kept")
    assert box.execute("before").result == "1"


def test_a_cell_that_ignores_the_interrupt_is_killed_and_the_reply_says_so(box: Sandbox) -> None:
    box.execute(f"before = 1\n{DEAF}")
    result = box.execute("while True: pass", timeout=0.2)
    assert (result.status, result.state) == ("timeout", "lost")
    assert result.error is not None
    assert result.error.ename == "SessionDied"
    assert "0.2 s" in result.error.evalue
    error = box.execute("before").error
    assert error is not None
    assert error.ename == "NameError"


async def test_code_stuck_in_c_is_killed(zygote: Zygote) -> None:
    limits = Limits(cpu_seconds=0.3, interrupt_grace=0.2, standby=False)
    async with session(zygote, limits) as one:
        result = await run(one, "sum(range(10**12))")
    assert (result.status, result.state) == ("timeout", "lost")


@pytest.mark.parametrize("distance", [0.005, 0.001, 0])
async def test_interrupts_without_end_end_each_cell_and_nothing_else(
    zygote: Zygote, distance: float
) -> None:
    async with session(zygote, Limits(standby=False)) as one:
        cells = [
            asyncio.create_task(one.request("execute_request", SLEEP, request_id=f"cell {number}"))
            for number in range(3)
        ]
        async with asyncio.timeout(50):
            while not all(cell.done() for cell in cells):
                one.interrupt()
                await asyncio.sleep(distance)
        assert {cell.result().content["ename"] for cell in cells} == {"KeyboardInterrupt"}
        assert (await run(one, "'alive'")).result == "'alive'"


async def test_an_interrupt_at_the_very_start_comes_once(
    zygote: Zygote, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted: list[str] = []
    interrupt = SessionProcess.interrupt

    def counting(process: SessionProcess, request_id: str) -> None:
        interrupted.append(request_id)
        interrupt(process, request_id)

    monkeypatch.setattr(SessionProcess, "interrupt", counting)
    async with session(zygote, Limits(standby=False)) as one:
        await run(one, "1")  # from here on its owner tells of each cell

        def interrupt_at_start(event: Event) -> None:
            if event.kind == "execute_input":
                one.interrupt()

        one.on_event = interrupt_at_start
        await one.request("execute_request", {"code": "1"}, request_id="cell")
        assert interrupted == ["cell"]  # a second one would end what code does about the first


def test_a_cell_that_ends_in_time_is_not_touched_by_its_limit(box: Sandbox) -> None:
    result = box.execute("import time; time.sleep(0.05); 'done'", timeout=60)
    assert (result.status, result.result) == ("ok", "'done'")


def test_an_answer_that_comes_after_the_interrupt_is_not_taken_for_the_next_question(
    box: Sandbox,
) -> None:
    released = threading.Event()

    def late(prompt: str, secret: bool) -> str:
        released.wait()
        return "late"

    def interrupt(event: Event) -> None:
        if event.kind == "input_request":
            box.interrupt()

    box.execute("input()", on_input=late, on_event=interrupt)
    released.set()
    assert box.execute("input()", on_input=lambda prompt, secret: "right").result == "'right'"


def never(prompt: str, secret: bool) -> str:
    """Leaves the question to the interrupt."""
    threading.Event().wait()
    return ""


def plain(error: ExecutionError) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback))


def interrupted_when_it_prints(box: Sandbox, code: str) -> ExecutionResult:
    def interrupt(event: Event) -> None:
        if event.kind == "stream":
            box.interrupt()

    return box.execute(code, on_event=interrupt)


@pytest.mark.parametrize(
    "wait", ["await asyncio.gather(spin())", "await asyncio.create_task(spin())"]
)
def test_an_interrupt_ends_a_task_that_the_cell_waits_for(box: Sandbox, wait: str) -> None:
    code = f"import asyncio\nasync def spin():\n    print('spins')\n    while True: pass\n{wait}"
    result = interrupted_when_it_prints(box, code)
    assert result.error is not None
    assert (result.error.ename, result.state) == ("KeyboardInterrupt", "kept")


def test_an_interrupt_ends_a_task_that_keeps_the_loop_from_the_cell(box: Sandbox) -> None:
    code = (
        "import asyncio\n"
        "async def hog():\n    print('hogs')\n    while True: pass\n"
        "task = asyncio.create_task(hog())\nawait asyncio.sleep(60)"
    )
    result = interrupted_when_it_prints(box, code)
    assert result.error is not None
    assert (result.error.ename, result.state) == ("KeyboardInterrupt", "kept")
    assert box.execute("task.exception()").result == "KeyboardInterrupt()"


def test_an_interrupt_ends_a_callback_that_keeps_a_cell_from_starting(box: Sandbox) -> None:
    spins = threading.Event()

    def notice(event: Event) -> None:
        if event.kind == "stream":
            spins.set()

    code = (
        "import asyncio\ndef spin():\n    print('spins')\n    while True: pass\n"
        "handle = asyncio.get_event_loop().call_later(0.01, spin)"
    )
    box.execute(code, on_event=notice)
    spins.wait()
    result = box.execute("1", timeout=0.2)
    assert (result.status, result.state) == ("timeout", "kept")
    assert box.execute("handle is None", timeout=60).result == "False"


def test_an_interrupt_ends_a_callback_that_came_just_before_the_cell(box: Sandbox) -> None:
    """The cell has been taken out of the line already, but the loop runs the callback first."""
    code = (
        "import asyncio\nfrom rlm_kernel.guest import host\n"
        "loop, link = asyncio.get_event_loop(), host.asker._link\nwait = link.wait\n"
        "def spin():\n    while True: pass\n"
        "def wait_and_spin(timeout):\n    wait(timeout)\n"
        "    if link._arrived:\n        link.wait = wait\n        loop.call_soon(spin)\n"
        "link.wait = wait_and_spin"
    )
    box.execute(code)
    result = box.execute("1", timeout=0.2)
    assert (result.status, result.state) == ("timeout", "kept")


def test_an_interrupt_of_a_task_hurts_no_later_cell(box: Sandbox) -> None:
    box.execute("import asyncio\nasync def fail():\n    raise KeyboardInterrupt")
    code = "task = asyncio.create_task(fail())\nawait asyncio.sleep(0.01)\n'unhurt'"
    assert box.execute(code).result == "'unhurt'"


def test_two_interrupts_at_once_are_one_keyboard_interrupt(box: Sandbox) -> None:
    def interrupt(event: Event) -> None:
        if event.kind == "input_request":
            box.interrupt()
            box.interrupt()

    for _ in range(20):
        error = box.execute("input()", on_input=never, on_event=interrupt).error
        assert error is not None
        assert error.ename == "KeyboardInterrupt"


@pytest.mark.parametrize("last_line", ["while True: pass", "input()", "time.sleep(60)"])
def test_the_traceback_of_an_interrupt_ends_at_the_users_line(box: Sandbox, last_line: str) -> None:
    code = f"import time\nprint('runs')\n{last_line}"

    def interrupt(event: Event) -> None:
        if event.kind == "stream":
            box.interrupt()

    error = box.execute(code, on_event=interrupt, on_input=never).error
    assert error is not None
    assert f"----> 3 {last_line}" in plain(error)
    assert "guest" not in plain(error)


def test_an_interrupt_is_for_the_running_request_alone(box: Sandbox) -> None:
    """The signal alone, without word of which request it is for, does nothing."""
    code = "import signal, sys\nsignal.getsignal(signal.SIGINT)(2, sys._getframe())\n'went on'"
    assert box.execute(code).result == "'went on'"


@pytest.mark.parametrize(
    "code",
    [
        "import signal; signal.raise_signal(signal.SIGINT)",
        "import os; os.kill(os.getpid(), 2)",
        "import _thread; _thread.interrupt_main()",
    ],
)
def test_code_may_interrupt_itself(shared_box: Sandbox, code: str) -> None:
    result = shared_box.execute(code)
    assert result.error is not None
    assert (result.error.ename, result.state) == ("KeyboardInterrupt", "kept")


def test_the_line_knows_that_it_does_not_wait_after_an_interrupt(box: Sandbox) -> None:
    def interrupt(event: Event) -> None:
        if event.kind == "input_request":
            box.interrupt()

    code = (
        "try: input()\nexcept KeyboardInterrupt: pass\n"
        "from rlm_kernel.guest import host\nhost.asker._link._waiting"
    )
    assert box.execute(code, on_input=never, on_event=interrupt).result == "False"


def test_an_answer_that_nobody_waits_for_does_not_keep_the_loop_busy(box: Sandbox) -> None:
    code = (
        "from rlm_kernel.guest import host\nfrom rlm_kernel.guest.frames import Frame\n"
        "import asyncio\nlink, turns = host.asker._link, 0\n"
        "link._arrived.append(Frame('input_reply', 'gone', {}))\n"
        "wait = link.wait\n"
        "def counted(timeout):\n    global turns\n    turns += 1\n    wait(timeout)\n"
        "link.wait = counted\nawait asyncio.sleep(0.2)\nturns < 20"
    )
    assert box.execute(code).result == "True"


def test_the_handler_of_a_signal_may_print_while_something_large_is_displayed(box: Sandbox) -> None:
    box.execute("import signal; signal.signal(signal.SIGPROF, lambda *_: print('x', flush=True))")
    code = (
        "import fcntl, os\nline = os.open('/dev/owner', os.O_RDWR)\n"
        "for n in range(8):\n"
        "    fcntl.ioctl(line, 1, 2 * n)\n"
        "    display({'text/plain': 'y' * (7 << 20)}, raw=True)\n"
    )
    result = box.execute(code)
    assert (result.status, result.state, len(result.display)) == ("ok", "kept", 8)
    assert "x" in result.stdout
