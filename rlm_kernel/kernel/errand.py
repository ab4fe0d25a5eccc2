"""Work of this process's own for the session, in its turn among the requests of clients."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from rlm_kernel.errors import RequestAborted
from rlm_kernel.kernel.caller import Nobody
from rlm_kernel.kernel.message import Message, Mint
from rlm_kernel.kernel.request import Request


class Errand(Request):
    """A request that is answered by `work`; nobody is told of it.

    `outcome` is what `work` gives or raises, or RequestAborted when the session was restarted
    before its turn came.
    """

    def __init__(self, mint: Mint, work: Callable[[], Awaitable[Any]]) -> None:
        super().__init__("", "control", Message(mint.header("errand"), {}), Nobody())
        self.outcome: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._work = work

    @property
    def is_abortable(self) -> bool:
        return True

    async def run(self) -> None:
        """Does the work, unless nobody waits for it any more."""
        if self.outcome.done():
            return
        if self.aborted:
            reason = "the session was restarted before this came to its turn"
            self.outcome.set_exception(RequestAborted(reason))
            return
        try:
            result = await self._work()
        except Exception as error:
            if not self.outcome.done():
                self.outcome.set_exception(error)
        else:
            if not self.outcome.done():
                self.outcome.set_result(result)
