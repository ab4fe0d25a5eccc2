"""What one cell may print and display, and how long it may compute: at the edge, and beyond."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rlm_kernel.sandbox import Event, Limits, Sandbox, Zygote
from tests.sandbox.sessions import run, session
from tests.sandbox.test_forgery import FORGE

LIMITS = Limits(
    memory_bytes=256 << 20,
    output_bytes=1000,
    display_bytes=10_000,
    cell_timeout=30.0,
    cpu_seconds=0.3,
    interrupt_grace=2.0,
    standby=False,
)
OUTPUT_NOTICE = "\n[rlm-kernel: the output of one cell is limited to 1,000 bytes"
DISPLAY_NOTICE = "\n[rlm-kernel: what one cell displays is limited to 10,000 bytes"


@pytest.fixture(scope="module")
def source() -> Iterator[Sandbox]:
    with Sandbox(LIMITS) as box:
        yield box


@pytest.fixture
def small(source: Sandbox) -> Iterator[Sandbox]:
    with source.fork() as box:
        yield box


def test_as_much_output_as_the_limit_is_whole(small: Sandbox) -> None:
    code = "import sys; print('é' * 250, end=''); print('x' * 500, end='', file=sys.stderr)"
    result = small.execute(code)
    assert (result.stdout, result.stderr) == ("é" * 250, "x" * 500)


def test_one_byte_more_is_cut_and_said_once_and_the_cell_goes_on(small: Sandbox) -> None:
    code = "import sys; print('x' * 999, end=''); print('é', end='', file=sys.stderr)\n"
    result = small.execute(code + "for n in range(100): print(n)\n'done'")
    assert (result.stdout, result.result, result.status) == ("x" * 999, "'done'", "ok")
    assert result.stderr.startswith(OUTPUT_NOTICE)
    assert result.stderr.count("rlm-kernel") == 1
    assert small.execute("print('x' * 999)").stdout == "x" * 999 + "\n"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_flood_of_tiny_writes_costs_its_limit_and_no_more(small: Sandbox, stream: str) -> None:
    events: list[Event] = []
    code = f"import sys\nfor n in range(20_000): print('.', file=sys.{stream}, flush=True)"
    small.execute(code, on_event=events.append)
    assert sum(len(event.content.get("text", "")) for event in events) < 1500


def test_forged_output_is_held_to_the_same_limit(small: Sandbox) -> None:
    flood = "for n in range(1000): forge('stream', me, {'name': 'stdout', 'text': 'x' * 100})\n"
    result = small.execute(FORGE + flood + "'done'")
    assert result.result == "'done'"
    assert result.stdout.startswith("x" * 1000 + OUTPUT_NOTICE)
    assert result.stdout.count("rlm-kernel") == 1


def test_forged_errors_are_held_to_a_limit_too(small: Sandbox) -> None:
    error = "{'ename': 'E', 'evalue': 'x' * 1_000_000, 'traceback': []}"
    events: list[Event] = []
    code = f"{FORGE}for n in range(40): forge('error', me, {error})"
    assert small.execute(code, on_event=events.append).status == "ok"
    assert 0 < sum(event.kind == "error" for event in events) < 20


def test_output_past_sys_stdout_is_held_to_the_same_limit(small: Sandbox) -> None:
    result = small.execute("import os\nfor n in range(1000): os.write(1, b'x' * 100)\n'done'")
    assert (result.result, result.status) == ("'done'", "ok")
    assert result.stdout.startswith("x" * 1000 + OUTPUT_NOTICE)
    assert result.stdout.count("rlm-kernel") == 1


def test_displays_within_the_limit_are_whole_and_those_beyond_are_not_shown(
    small: Sandbox,
) -> None:
    code = "for n in range({}): display({{'text/plain': str(n) * 1000}}, raw=True)\n'done'"
    result = small.execute(code.format(8))
    assert (len(result.display), result.result, result.stderr) == (8, "'done'", "")
    result = small.execute(code.format(10))
    assert (len(result.display), result.result, result.status) == (9, None, "ok")
    assert result.stderr.startswith(DISPLAY_NOTICE)
    assert result.stderr.count("rlm-kernel") == 1


def test_forged_displays_are_held_to_the_same_limit(small: Sandbox) -> None:
    display = "{'data': {'text/plain': 'x' * 1000}, 'metadata': {}, 'transient': {}}"
    result = small.execute(f"{FORGE}for n in range(100): forge('display_data', me, {display})")
    assert len(result.display) == 9
    assert result.stderr.startswith(DISPLAY_NOTICE)


def test_what_a_cell_prints_after_its_end_counts_until_the_next_begins(small: Sandbox) -> None:
    code = (
        "import asyncio\nasync def late():\n    while True:\n        print('x' * 100)\n"
        "        await asyncio.sleep(0)\ntask = asyncio.create_task(late())"
    )
    small.execute(code)
    assert len(small.execute("await asyncio.sleep(0.05)\ntask.cancel()").stdout) < 2000


def test_a_cell_that_computes_too_long_is_interrupted_and_told_why(small: Sandbox) -> None:
    small.execute("x = 1")
    result = small.execute("while True: pass")
    assert (result.status, result.state) == ("timeout", "kept")
    assert result.error is not None
    assert result.error.evalue == "the cell used more than 0.3 s of CPU"
    assert result.stderr == "rlm-kernel: this cell used more than 0.3 s of CPU and is interrupted\n"
    assert small.execute("x").result == "1"


def test_a_cell_that_ignores_that_is_killed_and_told_why(small: Sandbox) -> None:
    stubborn = "while True:\n    try:\n        while True: pass\n    except: pass"
    result = small.execute(stubborn)
    assert (result.status, result.state) == ("timeout", "lost")
    assert result.error is not None
    assert "used more than 0.3 s of CPU" in result.error.evalue


def test_sleeping_takes_no_cpu_time(small: Sandbox) -> None:
    result = small.execute("import time; time.sleep(0.5); 'slept'")
    assert result.result == "'slept'"


def test_each_cell_has_the_whole_of_the_cpu_time(small: Sandbox) -> None:
    code = "import time\nend = time.process_time() + 0.15\nwhile time.process_time() < end: pass"
    assert [small.execute(code).status for _ in range(3)] == ["ok"] * 3


async def test_a_cell_without_a_timeout_has_that_of_the_limits(zygote: Zygote) -> None:
    async with session(zygote, Limits(cell_timeout=0.2, standby=False)) as one:
        result = await run(one, "import time; time.sleep(60)")
        assert result.status == "timeout"
        assert result.error is not None
        assert result.error.evalue == "the cell ran longer than 0.2 s"
        longer = await run(one, "import time; time.sleep(0.5); 'slept'", 30)
        assert longer.result == "'slept'"
