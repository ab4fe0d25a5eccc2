"""Calls of litellm's that can be cancelled at any time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from rlm_kernel.agent.cancellation import unbroken

_LOOK_AGAIN_S = 0.001
_MODULE = "litellm/main.py"


async def revocable(call: Coroutine[Any, Any, Any]) -> Any:
    """Await `litellm.acompletion(...)`; a cancellation ends it once litellm has prepared it.

    litellm prepares a call in a thread, within milliseconds, and gets a coroutine from there. One
    that is cancelled meanwhile would drop that coroutine, which Python warns of.
    """
    task = asyncio.ensure_future(call)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await unbroken(_revoke(task))
        raise


async def _revoke(task: asyncio.Task[Any]) -> None:
    while not task.done() and _is_being_prepared(task):  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(_LOOK_AGAIN_S)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _is_being_prepared(task: asyncio.Task[Any]) -> bool:
    """Whether litellm's own `acompletion` waits for something that is no coroutine: the thread."""
    innermost: Any = task.get_coro()
    while hasattr(innermost.cr_await, "cr_await"):
        innermost = innermost.cr_await
    code = innermost.cr_code
    return bool(code.co_name == "acompletion" and code.co_filename.endswith(_MODULE))
