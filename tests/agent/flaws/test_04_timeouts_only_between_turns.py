"""Flaw 4: timeouts are checked only between turns (limit 1 s, stopped at 4 s)."""

from __future__ import annotations

import asyncio

import pytest

from rlm_kernel.agent import RLM_REPL, Budget, RunOptions, SidecarREPLFactory
from rlm_kernel.agent.manager_process import ManagerProcess
from rlm_kernel.errors import TimeLimitExceeded
from rlm_kernel.testing import ChatRequest, Script, ScriptedModelServer, Stall, Step
from tests.agent.conftest import open_sessions
from tests.agent.runs import code, model_of, run_script

FOR_EVER = "print('begun')\nimport time\nwhile True:\n    time.sleep(3600)"
BUSY = "print('begun')\nwhile True: pass"


def first_then(root: str, after: Step) -> Script:
    """A script: the root's reply, and one for whatever that leads to."""

    def reply(request: ChatRequest) -> Step:
        is_root = "Question: What is it?" in request.last
        return code(root) if is_root else after

    return reply


@pytest.mark.parametrize(
    "script",
    [
        first_then(FOR_EVER, Stall()),
        first_then(BUSY, Stall()),
        first_then("llm_query('x')", Stall()),
        first_then("await allm_query('x')", Stall()),
        first_then("llm_query_batched(['x', 'y'])", Stall()),
        first_then("rlm_query('x')", Stall()),
        first_then("rlm_query('x')", code(FOR_EVER)),
        first_then("rlm_query_batched(['x', 'y'], fork=True)", code(BUSY)),
        lambda request: Stall(),
    ],
    ids=[
        "a sleeping cell",
        "a busy cell",
        "a sub-call",
        "an awaited sub-call",
        "a batch",
        "a child's call",
        "a child's cell",
        "cells of children in copies",
        "a turn's own call",
    ],
)
def test_the_time_ends_whatever_runs(
    manager: ManagerProcess, factory: SidecarREPLFactory, script: Script
) -> None:
    """None of these would ever end by itself, and nothing of them is left."""
    with ScriptedModelServer(script) as server:
        options = RunOptions(max_depth=2, budget=Budget(seconds=2.0))
        rlm = RLM_REPL(model_of(server), repl_factory=factory, options=options)
        with pytest.raises(TimeLimitExceeded, match="the 2 s of the budget are over"):
            rlm.completion("", "What is it?")
        assert asyncio.run(open_sessions(manager)) == []


@pytest.mark.parametrize("cell", [FOR_EVER, BUSY], ids=["sleeping", "busy"])
def test_a_cell_that_takes_too_long_is_stopped_within_its_turn_and_keeps_its_variables(
    factory: SidecarREPLFactory, cell: str
) -> None:
    script = [code(f"x = 5\n{cell}"), code("FINAL(x)")]
    record = run_script(factory, script, cell_timeout_s=0.5)
    assert record.answer.text == "5"
    assert record.states == ["kept", "kept"]
    assert "stopped because it took longer than 0.5 seconds" in record.told[1]
