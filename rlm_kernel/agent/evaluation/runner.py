"""Goes through a plan: several items at a time, each result kept as soon as it is there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator

from rlm_kernel.agent.evaluation.plan import Step
from rlm_kernel.agent.evaluation.result import Result

Evaluate = Callable[[Step], Awaitable[Result]]
"""Answers one item in one way. Raises only what must end the run."""


async def run_steps(
    steps: Iterable[Step], evaluate: Evaluate, keep: Callable[[Result], None], *, parallel: int
) -> None:
    """Evaluate all steps, `parallel` at a time, and `keep` each result when it comes.

    The first exception ends those that are under way; what was kept stays.
    """
    waiting = iter(steps)
    workers = [asyncio.ensure_future(_work(waiting, evaluate, keep)) for _ in range(parallel)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


async def _work(
    waiting: Iterator[Step], evaluate: Evaluate, keep: Callable[[Result], None]
) -> None:
    for step in waiting:
        keep(await evaluate(step))
