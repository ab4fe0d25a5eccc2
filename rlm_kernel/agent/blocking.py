"""Asynchronous work for callers that are not, whether or not an event loop runs in their thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")


def run_blocking(work: Coroutine[Any, Any, Result]) -> Result:
    """Run `work` to its end and return what it returns.

    A KeyboardInterrupt meanwhile cancels it and waits until it has cleaned up.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    return _Worker(work).run()


class _Worker(Generic[Result]):
    """Runs work in an event loop of its own in a thread of its own.

    An interrupt can hit the caller even before the thread has begun; what it must wait for and
    what will never happen is decided under the lock.
    """

    def __init__(self, work: Coroutine[Any, Any, Result]) -> None:
        self._work = work
        self._lock = threading.Lock()
        self._begun = False
        self._given_up = False
        self._cancel: Future[Callable[[], None]] = Future()
        self._outcome: Future[Result] = Future()

    def run(self) -> Result:
        try:
            threading.Thread(target=self._run, name="rlm-kernel-run").start()
            return self._outcome.result()
        except BaseException:
            with self._lock:
                self._given_up = True
            if self._begun:
                self._cancel.result()()
                self._outcome.exception()
            else:
                self._work.close()
            raise

    def _run(self) -> None:
        with self._lock:
            if self._given_up:
                return
            self._begun = True
        try:
            self._outcome.set_result(asyncio.run(self._cancellable()))
        except BaseException as error:
            self._outcome.set_exception(error)

    async def _cancellable(self) -> Result:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None

        def cancel() -> None:
            with suppress(RuntimeError):  # the loop is closed: the work has just ended
                loop.call_soon_threadsafe(task.cancel)

        self._cancel.set_result(cancel)
        return await self._work
