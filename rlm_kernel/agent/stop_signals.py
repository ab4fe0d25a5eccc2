"""Ctrl-C and SIGTERM, as one orderly way to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from types import FrameType, TracebackType
from typing import Any, Self, TypeVar

Result = TypeVar("Result")
_NUMBERS = (signal.SIGINT, signal.SIGTERM)


class StopSignals:
    """While entered (in the main thread), the first SIGINT or SIGTERM stops what runs.

    Plain code gets a KeyboardInterrupt; the coroutine in `run` is cancelled instead. Those that
    follow are ignored: what was started is being ended already.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, Any] = {}
        self._task: asyncio.Task[Any] | None = None

    @property
    def exit_status(self) -> int:
        """What a shell expects of a program that a signal stopped."""
        return 128 + (self.received or signal.SIGINT)

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """`asyncio.run`; a signal cancels the work, and raises KeyboardInterrupt at its end."""
        try:
            return asyncio.run(self._watched(work))
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._on_signal) for number in _NUMBERS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    async def _watched(self, work: Coroutine[Any, Any, Result]) -> Result:
        self._task = task = asyncio.ensure_future(work)
        try:
            return await task
        finally:
            self._task = None

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            return
        self.received = number
        if self._task is None:
            raise KeyboardInterrupt
        self._task.get_loop().call_soon_threadsafe(self._task.cancel)
