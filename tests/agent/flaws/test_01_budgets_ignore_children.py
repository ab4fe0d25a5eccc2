"""Flaw 1: budgets ignore children ($1 allowed, $2.45 spent, $0.05 reported)."""

from __future__ import annotations

import asyncio
import threading

import pytest

from rlm_kernel.agent import (
    RLM_REPL,
    Budget,
    Event,
    RunFailed,
    RunOptions,
    RunStarted,
    SidecarREPLFactory,
    Terms,
    Usage,
)
from rlm_kernel.errors import BudgetExceeded, CallLimitExceeded, CostLimitExceeded
from rlm_kernel.testing import ChatRequest, Delayed, Reply, ScriptedModelServer, Step
from tests.agent.runs import code, model_of

PRICES = Terms(input_usd=0.0, output_usd=0.001, max_output_tokens=100)
COST_OF_A_CALL = 0.05

ROOT = "while True:\n    rlm_query_batched(['child'] * 4, ['data'] * 4)"
CHILD = "while True:\n    llm_query_batched([f'leaf {n}' for n in range(8)])"


class Spender:
    """A model of which every call costs $0.05; the tree never stops by itself."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.answered = 0

    def __call__(self, request: ChatRequest) -> Step:
        question = request.messages[-1]["content"]
        text = "leaf" if question.startswith("leaf") else code(CHILD)
        if "Question: spend" in question:
            text = code(ROOT)
        self.answered += 1
        return Delayed(Reply(text, input_tokens=10, output_tokens=50), 0.02)


def spend(factory: SidecarREPLFactory, budget: Budget) -> tuple[Spender, Usage, list[Event]]:
    spender, events = Spender(), list[Event]()

    async def run(rlm: RLM_REPL) -> None:
        async for event in rlm.astream("", "spend"):
            events.append(event)

    with ScriptedModelServer(spender) as server:
        options = RunOptions(max_depth=2, budget=budget)
        rlm = RLM_REPL(model_of(server, PRICES), repl_factory=factory, options=options)
        with pytest.raises(BudgetExceeded) as raised:
            asyncio.run(run(rlm))
    assert isinstance(raised.value.usage, Usage)
    return spender, raised.value.usage, events


def test_children_and_leaves_spend_from_one_purse_and_not_a_cent_more(
    factory: SidecarREPLFactory,
) -> None:
    spender, usage, events = spend(factory, Budget(cost_usd=1.0))
    total = usage.costs.total
    # Calls were made as long as the longest reply that they could get, for $0.10, was paid for.
    assert 0.9 < total.cost_usd <= 1.0
    answered = total.calls - total.failed_calls
    assert total.cost_usd == pytest.approx(answered * COST_OF_A_CALL)
    assert total.output_tokens == answered * 50
    assert total.calls == spender.answered
    started = {event.run for event in events if isinstance(event, RunStarted)}
    ended = [event for event in events if isinstance(event, RunFailed)]
    assert started == {"0", "0.1", "0.2", "0.3", "0.4"}
    assert {event.run for event in ended} == started
    assert {event.code for event in ended} == {CostLimitExceeded.code}
    assert ended[-1].run == "0"
    assert ended[-1].usage == usage


def test_calls_of_children_count_as_calls(factory: SidecarREPLFactory) -> None:
    spender, usage, events = spend(factory, Budget(calls=20))
    assert usage.costs.total.calls == 20
    assert spender.answered <= 20
    assert {e.code for e in events if isinstance(e, RunFailed)} == {CallLimitExceeded.code}


def test_turns_of_children_count_as_turns(factory: SidecarREPLFactory) -> None:
    _, usage, events = spend(factory, Budget(turns=3))
    assert usage.turns == 3
    assert len([event for event in events if isinstance(event, RunStarted)]) >= 3
