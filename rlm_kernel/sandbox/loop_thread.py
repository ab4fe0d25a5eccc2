"""An event loop in a thread of its own, for callers that have none."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from rlm_kernel.errors import SandboxError

T = TypeVar("T")


class LoopThread:
    """Runs coroutines for other threads. `close` ends the thread; idempotent.

    It belongs to the process that made it: one forked from that has no such thread.
    """

    def __init__(self) -> None:
        self._process = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Starts a coroutine; its outcome comes through the future, for other threads to wait for.

        Raises SandboxError on the loop's own thread, and in a process that was forked, where
        waiting would be for ever.
        """
        if problem := self._problem():
            coroutine.close()
            raise SandboxError(problem)
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine to its end and gives its result.

        An exception in the waiting thread, say KeyboardInterrupt, cancels the coroutine. Raises
        SandboxError as `submit` does.
        """
        future = self.submit(coroutine)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    @property
    def is_inherited(self) -> bool:
        """Whether this process was forked from the one that it belongs to."""
        return self._process != os.getpid()

    def _problem(self) -> str:
        if self.is_inherited:
            return "it belongs to the process that this one was forked from"
        if threading.current_thread() is self._thread:
            return "this waits for the event loop, and was called on it"
        return ""

    def call_soon(self, function: Callable[..., object], *arguments: object) -> None:
        """Calls a function on the loop, without waiting for it."""
        self._loop.call_soon_threadsafe(function, *arguments)

    def close(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
