"""Every program of the corpus: it gets what it deserves, and nobody else notices."""

from __future__ import annotations

import pytest

from rlm_kernel.sandbox import ExecutionResult, Sandbox
from tests.hostile import bombs, descriptors, escapes, files, interpreter, pointers, signals
from tests.hostile.conftest import LIMITS
from tests.hostile.program import Program
from tests.hostile.surroundings import Neighbour, output_of, secrets_in

THEMES = (escapes, pointers, files, descriptors, bombs, interpreter, signals)
PROGRAMS = [
    pytest.param(
        each,
        id=f"{theme.__name__.rpartition('.')[2]}: {each.name}",
        marks=[pytest.mark.hostile] if each.heavy else [],
    )
    for theme in THEMES
    for each in theme.PROGRAMS
]

AFTERWARDS_SECONDS = 5.0
TRIES = 3
"""What goes on between cells may take the time of one cell, and be ended with it."""


def outcome(result: ExecutionResult) -> str:
    if result.error is not None and result.error.ename == "SessionDied":
        return "killed"
    if result.status == "timeout":
        return "interrupted"
    return "ok" if result.error is None else result.error.ename


def answers(box: Sandbox) -> bool:
    """Whether the session does what it is told. Each request must be answered in time."""
    return any(
        box.execute("6 * 7", timeout=AFTERWARDS_SECONDS).result == "42" for _ in range(TRIES)
    )


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_hostile_program_harms_nobody_but_its_own_session(
    program: Program, box: Sandbox, neighbour: Neighbour
) -> None:
    result = box.execute(program.code, timeout=program.seconds)
    output = output_of(result)
    assert program.outcomes & {outcome(result), "any"}, output[-2000:]
    assert secrets_in(output, (*neighbour.pids, box.pid)) == []
    neighbour.assert_undisturbed()
    if not answers(box):  # it has only its own interpreter to blame
        with Sandbox(LIMITS) as fresh:
            assert answers(fresh)


def test_the_corpus_is_large_and_says_everything_once() -> None:
    names = [each.name for theme in THEMES for each in theme.PROGRAMS]
    assert len(names) == len(set(names)) >= 120
