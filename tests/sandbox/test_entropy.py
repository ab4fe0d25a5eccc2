"""What no two sessions may have in common, however they came to be; and what runs on in a copy."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from rlm_kernel.sandbox import Sandbox, Zygote
from tests.sandbox.conftest import SMALL
from tests.sandbox.sessions import run, session, until_standby

DRAW = """
import os, random, secrets, tempfile, uuid
def draw():
    return [
        random.random(), random.Random().random(), random.SystemRandom().random(),
        secrets.token_hex(), os.urandom(8).hex(), open("/dev/urandom", "rb").read(8).hex(),
        str(uuid.uuid1()), str(uuid.uuid4()), uuid.getnode(), tempfile.mktemp(),
    ]
"""
KINDS = 10


@pytest.fixture(scope="module")
def source() -> Iterator[Sandbox]:
    with Sandbox(SMALL) as box:
        box.execute(f"{DRAW}\ndraw()")
        yield box


def drawn(*boxes: Sandbox) -> list[tuple[str | None, ...]]:
    """What each draws, by kind."""
    rows = []
    for box in boxes:
        box.execute(f"{DRAW}row = draw()")
        rows.append([box.execute(f"row[{kind}]").result for kind in range(KINDS)])
    return list(zip(*rows, strict=True))


def test_two_sessions_draw_nothing_alike(source: Sandbox) -> None:
    with Sandbox(SMALL) as other:
        assert all(one != two for one, two in drawn(source, other))


def test_a_session_and_its_copies_draw_nothing_alike(source: Sandbox) -> None:
    with source.fork() as one, source.fork() as two, one.fork() as three:
        for kind in drawn(source, one, two, three):
            assert len(set(kind)) == 4


async def test_a_session_that_goes_back_draws_other_numbers_than_it_drew(zygote: Zygote) -> None:
    async with session(zygote) as one:
        await run(one, DRAW)
        rows = []
        for _ in range(2):
            await until_standby(one)
            said = await run(one, "print(draw(), flush=True)\nos._exit(1)")
            assert said.state == "rolled_back"
            rows.append(ast.literal_eval(said.stdout))
        assert all(one != two for one, two in zip(*rows, strict=True))


def test_generators_of_numpy_are_seeded_anew_in_a_copy(source: Sandbox) -> None:
    """As they would be: a stand-in counts how often it is told to."""
    code = (
        "import sys, types\nstand_in = types.ModuleType('numpy.random')\nseeded = []\n"
        "stand_in.seed = lambda: seeded.append(1)\nsys.modules['numpy.random'] = stand_in"
    )
    with source.fork() as original:
        original.execute(code)
        with original.fork() as copy:
            assert copy.execute("len(seeded)").result == "1"
        assert original.execute("len(seeded)").result == "0"


CLOCKS = """
import time
def read():
    names = "REALTIME", "MONOTONIC", "PROCESS_CPUTIME_ID", "THREAD_CPUTIME_ID"
    return [time.clock_gettime_ns(getattr(time, f"CLOCK_{name}")) for name in names] + [
        time.monotonic_ns(), time.perf_counter_ns(), time.process_time_ns()
    ]
"""


def test_no_clock_goes_back_in_a_copy_or_a_copy_of_it(source: Sandbox) -> None:
    with source.fork() as original:
        original.execute(f"{CLOCKS}for n in range(300_000): pass\nbefore = read()")
        with original.fork() as copy, copy.fork() as second:
            for box in (copy, second):
                assert box.execute("[a <= b for a, b in zip(before, read())]").result == str(
                    [True] * 7
                )


def test_the_process_ids_that_the_code_sees_tell_nothing(source: Sandbox) -> None:
    code = "import os; os.getpid(), os.getppid()"
    with source.fork() as copy, Sandbox(SMALL) as other:
        seen = {box.execute(code).result for box in (source, copy, other)}
        assert len(seen) == 1
        assert str(copy.pid) not in str(seen)
