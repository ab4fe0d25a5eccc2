"""A limit ends the whole tree with its type, the best answer so far and exact totals."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from rlm_kernel.agent import (
    RLM_REPL,
    Budget,
    Event,
    LedgerUpdated,
    RunFailed,
    RunOptions,
    SidecarREPLFactory,
    Terms,
    Usage,
)
from rlm_kernel.errors import (
    BudgetExceeded,
    CallLimitExceeded,
    ConfigurationError,
    CostLimitExceeded,
    ErrorLimitExceeded,
    ModelError,
    ModelUnavailable,
    TimeLimitExceeded,
    TokenLimitExceeded,
    TurnLimitExceeded,
)
from rlm_kernel.testing import ChatRequest, Failure, Reply, Script, ScriptedModelServer, Stall, Step
from tests.agent.runs import code, model_of, run_script

OUTPUT_USD = 1e-3
PRICES = Terms(input_usd=1e-6, output_usd=OUTPUT_USD)


class Overrun:
    """A run that a limit has ended: what it raised and what it told."""

    def __init__(
        self, factory: SidecarREPLFactory, script: Script, budget: Budget, **options: Any
    ) -> None:
        self.events: list[Event] = []
        with ScriptedModelServer(script) as server:
            rlm = RLM_REPL(
                model_of(server, PRICES),
                repl_factory=factory,
                options=RunOptions(budget=budget, **options),
            )
            with pytest.raises(BudgetExceeded) as raised:
                asyncio.run(self._collect(rlm))
            self.requests = server.requests
        self.error = raised.value
        assert isinstance(self.error.usage, Usage)
        self.usage = self.error.usage
        self.total = self.usage.costs.total
        failure = self.events[-1]
        assert isinstance(failure, RunFailed)
        assert (failure.run, failure.code) == ("0", self.error.code)
        assert failure.partial_answer == self.error.partial_answer
        assert failure.usage == self.usage

    async def _collect(self, rlm: RLM_REPL) -> None:
        async with aclosing(rlm.astream("", "?")) as events:
            async for event in events:
                self.events.append(event)


def looking(step: str) -> Reply:
    """A turn that costs $0.01 and 10 tokens for its reply, and 50 for its prompt."""
    return Reply(code(f"print('saw {step}')"), input_tokens=50, output_tokens=10)


def test_calls(factory: SidecarREPLFactory) -> None:
    run = Overrun(factory, [looking("one"), looking("two"), looking("never")], Budget(calls=2))
    assert isinstance(run.error, CallLimitExceeded)
    assert run.error.partial_answer == "saw two"
    assert (run.total.calls, run.total.output_tokens, run.usage.turns) == (2, 20, 3)
    assert len(run.requests) == 2


def test_tokens(factory: SidecarREPLFactory) -> None:
    script: list[Step] = [
        looking("one"),
        Reply(code("print('saw two')"), 7_000, 500),
        looking("never"),
    ]
    run = Overrun(factory, script, Budget(tokens=8_000))
    assert isinstance(run.error, TokenLimitExceeded)
    assert run.error.partial_answer == "saw two"
    assert run.total.input_tokens + run.total.output_tokens == 7_560
    assert [request.body["max_tokens"] < 8_000 for request in run.requests] == [True, True]


def test_money(factory: SidecarREPLFactory) -> None:
    script: list[Step] = [
        looking("one"),
        Reply(code("print('saw two')"), 50, 980),
        looking("never"),
    ]
    run = Overrun(factory, script, Budget(cost_usd=1.0))
    assert isinstance(run.error, CostLimitExceeded)
    assert run.total.cost_usd == pytest.approx(0.99 + 100e-6)
    # No reply could be longer than what was left paid for.
    first, second = (request.body["max_tokens"] for request in run.requests)
    assert 0.9 < first * OUTPUT_USD <= 1.0
    assert 0.9 < second * OUTPUT_USD <= 0.99


def test_turns(factory: SidecarREPLFactory) -> None:
    run = Overrun(factory, [looking("one"), looking("two")], Budget(turns=2))
    assert isinstance(run.error, TurnLimitExceeded)
    assert (run.usage.turns, run.total.calls) == (2, 2)


def test_errors(factory: SidecarREPLFactory) -> None:
    script: list[Step] = [looking("one"), code("1 / 0"), code("1 / 0")]
    run = Overrun(factory, script, Budget(errors=2))
    assert isinstance(run.error, ErrorLimitExceeded)
    assert (run.usage.errors, run.error.partial_answer) == (2, "saw one")


def test_the_time_ends_a_cell_at_once(factory: SidecarREPLFactory) -> None:
    script: list[Step] = [looking("one"), code("import time\nwhile True:\n    time.sleep(3600)")]
    run = Overrun(factory, script, Budget(seconds=3.0))
    assert isinstance(run.error, TimeLimitExceeded)
    assert run.error.partial_answer == "saw one"


def test_the_time_ends_a_model_call_at_once(factory: SidecarREPLFactory) -> None:
    run = Overrun(factory, [looking("one"), Stall()], Budget(seconds=3.0))
    assert isinstance(run.error, TimeLimitExceeded)
    assert (run.total.calls, run.total.uncertain_calls) == (2, 1)


def test_code_cannot_swallow_the_end_of_the_tree(factory: SidecarREPLFactory) -> None:
    """Not even code that asks again whatever is raised."""
    defiant = (
        "print('at it')\n"
        "while True:\n"
        "    try:\n"
        "        llm_query('more')\n"
        "    except BaseException as error:\n"
        "        print('swallowed', error)"
    )
    run = Overrun(factory, [code(defiant), "a", "b", "c"], Budget(calls=3))
    assert isinstance(run.error, CallLimitExceeded)
    assert run.error.partial_answer == "at it"
    assert len(run.requests) == 3


def test_a_limit_on_money_that_nobody_can_keep_is_refused(factory: SidecarREPLFactory) -> None:
    with pytest.raises(ConfigurationError, match="no price is known for calls of openai/scripted"):
        run_script(factory, ["FINAL(1)"], budget=Budget(cost_usd=1.0))


def test_runs_that_overlap_have_a_ledger_each(factory: SidecarREPLFactory) -> None:
    async def both(server: ScriptedModelServer) -> None:
        options = RunOptions(budget=Budget(calls=2))
        rlm = RLM_REPL(model_of(server), repl_factory=factory, options=options)
        answers = await asyncio.gather(rlm.acompletion("", "a"), rlm.acompletion("", "b"))
        assert list(answers) == ["x", "x"]
        assert rlm.cost_summary().total.calls == 4

    def reply(request: ChatRequest) -> Step:
        return code("FINAL(llm_query('x'))") if len(request.messages) > 1 else "x"

    with ScriptedModelServer(reply) as server:
        asyncio.run(both(server))


def test_the_ledger_is_told_after_each_call_and_each_cell(factory: SidecarREPLFactory) -> None:
    record = run_script(factory, [code("llm_query('x')"), "x", "FINAL(1)"])
    books = [event.usage for event in record.events if isinstance(event, LedgerUpdated)]
    assert [(usage.costs.total.calls, usage.turns) for usage in books] == [
        (1, 1),
        (2, 1),
        (2, 1),
        (3, 2),
    ]
    assert record.answer.usage.costs == record.costs
    assert record.answer.usage.turns == 2


def test_a_call_that_failed_for_now_is_made_again_and_each_try_is_counted(
    factory: SidecarREPLFactory,
) -> None:
    script: list[Step] = [
        Failure(429, retry_after=0.01),
        Failure(503, retry_after=0.01),
        "FINAL(1)",
    ]
    record = run_script(factory, script)
    assert record.answer.text == "1"
    assert (record.costs.total.calls, record.costs.total.failed_calls) == (3, 2)
    assert record.answer.usage.errors == 2


def test_there_are_no_more_retries_than_may_be(factory: SidecarREPLFactory) -> None:
    script: list[Step] = [Failure(500, f"try {number}", 0.01) for number in range(4)]
    with ScriptedModelServer(script) as server:
        rlm = RLM_REPL(model_of(server), repl_factory=factory, options=RunOptions(retries=1))
        with pytest.raises(ModelUnavailable, match="try 1"):
            rlm.completion()
    assert rlm.cost_summary().total.failed_calls == 2


@pytest.mark.parametrize("failure", [Failure(401), Failure(429, retry_after=3600.0)], ids=repr)
def test_what_will_not_pass_soon_is_not_tried_again(
    factory: SidecarREPLFactory, failure: Failure
) -> None:
    with ScriptedModelServer([failure, "never"]) as server:
        with pytest.raises(ModelError):
            RLM_REPL(model_of(server), repl_factory=factory).completion()
        assert len(server.requests) == 1


def test_the_time_ends_a_pause_before_a_retry(factory: SidecarREPLFactory) -> None:
    run = Overrun(factory, [Failure(429, retry_after=29.0)], Budget(seconds=2.0))
    assert isinstance(run.error, TimeLimitExceeded)
    assert (run.total.calls, run.total.failed_calls) == (1, 1)
