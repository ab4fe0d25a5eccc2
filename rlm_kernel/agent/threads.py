"""Blocking calls of others' functions, which nobody waits for any more once they are cancelled."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

Result = TypeVar("Result")


async def in_thread(function: Callable[[], Result]) -> Result:
    """What `function` returns or raises, run in a thread of its own.

    A cancellation ends the wait at once. The thread cannot be ended: it runs on, and neither the
    event loop nor the interpreter waits for it when they end, as they would for those of
    `asyncio.to_thread`.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[Result] = loop.create_future()
    context = contextvars.copy_context()

    def settle(result: Result | None, error: Exception | None) -> None:
        if outcome.done():
            return
        if error is None:
            outcome.set_result(result)  # type: ignore[arg-type]
        else:
            outcome.set_exception(error)

    def run() -> None:
        result: Result | None = None
        failure: Exception | None = None
        try:
            result = context.run(function)
        except Exception as error:
            failure = error
        except BaseException as error:  # must not end the event loop
            failure = RuntimeError(f"{type(error).__name__}: {error}")
        if isinstance(failure, StopIteration):  # which no future takes
            failure = RuntimeError(f"StopIteration: {failure}")
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=run, name="rlm-kernel-tool", daemon=True).start()
    return await outcome
