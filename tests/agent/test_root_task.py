"""A root run's work ends at a limit, wherever in its tree the limit is reached."""

from __future__ import annotations

import asyncio

import pytest

from rlm_kernel.agent.root_task import RootTask
from rlm_kernel.errors import CallLimitExceeded, CostLimitExceeded, TimeLimitExceeded


def test_another_task_stops_the_work_which_cleans_up_first() -> None:
    async def run() -> None:
        root, cleaned = RootTask(), asyncio.Event()

        async def child() -> None:
            root.stop(CostLimitExceeded("first"))
            root.stop(CallLimitExceeded("second"))

        async def work() -> None:
            async with root:
                try:
                    await asyncio.gather(child(), asyncio.Event().wait())
                finally:
                    await asyncio.sleep(0)
                    cleaned.set()

        with pytest.raises(CostLimitExceeded, match="first"):
            await work()
        assert cleaned.is_set()
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    asyncio.run(run())


def test_the_work_itself_reaches_a_limit() -> None:
    async def run() -> None:
        async def work() -> None:
            async with RootTask() as root:
                reason = CostLimitExceeded("enough")
                root.stop(reason)
                raise reason

        with pytest.raises(CostLimitExceeded, match="enough"):
            await work()
        await asyncio.sleep(0)  # no cancellation is left behind

    asyncio.run(run())


def test_the_time_is_a_limit() -> None:
    async def run() -> None:
        with pytest.raises(TimeLimitExceeded, match=r"the 0\.01 s of the budget are over"):
            async with RootTask(0.01):
                await asyncio.Event().wait()

    asyncio.run(run())


def test_a_cancellation_from_outside_stays_one() -> None:
    async def run() -> None:
        root = RootTask()

        async def work() -> None:
            async with root:
                await asyncio.Event().wait()

        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        task.cancel()
        root.stop(CostLimitExceeded("at the same time"))
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())


def test_work_that_ends_in_time_is_left_alone() -> None:
    async def run() -> None:
        async with RootTask(30.0) as root:
            pass
        assert root.reason is None

    asyncio.run(run())
