"""Going through a plan."""

from __future__ import annotations

import asyncio

import pytest

from rlm_kernel.agent.evaluation import Plan, Result
from rlm_kernel.agent.evaluation.plan import Step
from rlm_kernel.agent.evaluation.runner import run_steps
from rlm_kernel.errors import ConfigurationError, ManagerUnavailable

PLAN = Plan(("s-niah", "oolong"), (1024, 2048), 3)


def result(step: Step) -> Result:
    name, method = step
    return Result(
        task=name.task,
        length=name.length,
        number=name.number,
        method=method,
        kind="",
        score=1.0,
        truth="",
    )


def test_a_plan_has_every_item_by_every_method_the_breadth_first() -> None:
    steps = list(PLAN.steps())
    assert len(steps) == len(set(steps)) == 2 * 2 * 3 * 2
    assert {name.number for name, _ in steps[:8]} == {0}


@pytest.mark.parametrize(
    ("plan", "complaint"),
    [
        (lambda: Plan(("nonsense",), (1024,), 1), "no task 'nonsense'"),
        (lambda: Plan(("oolong",), (1024,), 1, ("magic",)), "no method 'magic'"),
        (lambda: Plan(("oolong",), (1024,), 0), "at least one item"),
        (lambda: Plan((), (1024,), 1), "no task"),
        (lambda: Plan(("oolong",), (), 1), "no length"),
    ],
)
def test_what_cannot_be_planned_is_refused(plan: object, complaint: str) -> None:
    assert callable(plan)
    with pytest.raises(ConfigurationError, match=complaint):
        plan()


@pytest.mark.parametrize("parallel", [1, 5, 100])
def test_so_many_at_a_time_and_each_once(parallel: int) -> None:
    running, most = 0, 0
    kept: list[Result] = []

    async def evaluate(step: Step) -> Result:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(10):
            await asyncio.sleep(0)
        running -= 1
        return result(step)

    steps = list(PLAN.steps())
    asyncio.run(run_steps(steps, evaluate, kept.append, parallel=parallel))
    assert sorted(each.key for each in kept) == sorted(result(step).key for step in steps)
    assert most == min(parallel, len(steps))


def test_what_ends_the_run_ends_what_is_under_way_and_keeps_what_there_was() -> None:
    kept: list[Result] = []
    cancelled = 0

    async def evaluate(step: Step) -> Result:
        nonlocal cancelled
        if len(kept) == 3:
            raise ManagerUnavailable("gone")
        if step[0].number == 0 and step[0].task == "oolong":
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled += 1
                raise
        return result(step)

    with pytest.raises(ManagerUnavailable):
        asyncio.run(run_steps(PLAN.steps(), evaluate, kept.append, parallel=6))
    assert len(kept) == 3
    assert cancelled > 0
