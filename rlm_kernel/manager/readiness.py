"""Whether the manager can do its work, shown by doing it once."""

from __future__ import annotations

import time

from rlm_kernel.errors import NotReady
from rlm_kernel.manager.wire import Readiness
from rlm_kernel.manager.zygotes import ZygoteKeeper

_CELL = {
    "code": "assert 6 * 7 == 42",
    "silent": True,
    "store_history": False,
    "user_expressions": {},
    "allow_stdin": False,
    "stop_on_error": False,
}
_CELL_SECONDS = 10.0


async def prove_ready(zygotes: ZygoteKeeper) -> Readiness:
    """Create a session that is on no list, run a cell in it, and close it.

    Raises NotReady when the zygote is not up, or the cell did not run.
    """
    if zygotes.state != "ready":
        raise NotReady(f"the zygote is not ready: {zygotes.state}")
    started = time.perf_counter()
    session = await zygotes.spawn()
    try:
        reply = await session.request(
            "execute_request", dict(_CELL), request_id="ready", timeout=_CELL_SECONDS
        )
    finally:
        await session.close()
    if reply.content.get("status") != "ok":
        raise NotReady(f"a cell failed: {reply.content.get('ename', 'no reason given')}")
    return Readiness(duration_ms=(time.perf_counter() - started) * 1000)
