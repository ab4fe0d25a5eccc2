"""Work that a cancellation may delay but not break: closing what was opened."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


async def unbroken(work: Coroutine[Any, Any, Result]) -> Result:
    """Await `work` to its end, even when the caller is cancelled meanwhile; then be cancelled.

    The cancellation has an error of the work as its cause.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
        except BaseException:
            break  # the task's own, raised by result() below
    if cancelled is not None:
        raise cancelled from task.exception()
    return task.result()
