"""Work that a cancellation does not break."""

from __future__ import annotations

import asyncio

import pytest

from rlm_kernel.agent.cancellation import unbroken


def test_the_result_or_the_error_of_the_work_comes_through() -> None:
    async def give() -> int:
        return 5

    async def fail() -> None:
        raise LookupError("no")

    assert asyncio.run(unbroken(give())) == 5
    with pytest.raises(LookupError, match="no"):
        asyncio.run(unbroken(fail()))


def test_cancelled_again_and_again_the_work_still_ends_first() -> None:
    async def run() -> None:
        may_end, ended = asyncio.Event(), False

        async def work() -> None:
            nonlocal ended
            await may_end.wait()
            ended = True

        task = asyncio.create_task(unbroken(work()))
        for _ in range(3):
            await asyncio.sleep(0)
            task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended

    asyncio.run(run())


def test_an_error_after_a_cancellation_is_not_lost_in_silence() -> None:
    async def run() -> None:
        may_fail = asyncio.Event()

        async def work() -> None:
            await may_fail.wait()
            raise LookupError("no")

        task = asyncio.create_task(unbroken(work()))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        may_fail.set()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        assert isinstance(caught.value.__cause__, LookupError)

    asyncio.run(run())
