"""The task of a root run, which a limit of its tree ends from wherever it is reached."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from rlm_kernel.errors import BudgetExceeded, TimeLimitExceeded


class RootTask:
    """An asynchronous context manager around the work of a root run.

    `stop` cancels the work, and with it all that it waits for: model calls, cells, child runs. Once
    they have cleaned up, leaving the context raises the reason. The end of the time, after
    `seconds`, is such a reason. A cancellation from outside stays one.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self.reason: BudgetExceeded | None = None
        self._seconds = seconds
        self._task: asyncio.Task[object] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._cancelled_before = 0
        self._has_cancelled = False

    def stop(self, reason: BudgetExceeded) -> None:
        """End the work. Of several reasons the first counts."""
        if self.reason is not None:
            return
        self.reason = reason
        if self._task is not None and self._task is not asyncio.current_task():
            self._has_cancelled = self._task.cancel()

    async def __aenter__(self) -> Self:
        self._task = asyncio.current_task()
        assert self._task is not None
        self._cancelled_before = self._task.cancelling()
        if self._seconds is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._seconds, self._end_of_time, self._seconds)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        task, self._task = self._task, None
        if task is None or self.reason is None or not self._has_cancelled:
            return
        if task.uncancel() <= self._cancelled_before:
            raise self.reason from None

    def _end_of_time(self, seconds: float) -> None:
        self.stop(TimeLimitExceeded(f"the {seconds:g} s of the budget are over"))
