"""The one zygote that sessions are forked from: started early, shared by all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Literal, Protocol

from rlm_kernel.errors import NotReady, SandboxClosed, ZygoteError
from rlm_kernel.sandbox import Session

_log = logging.getLogger(__name__)

_CLOSING = "the manager is closing down"

State = Literal["starting", "ready", "failed", "closed"]


class Source(Protocol):
    """What sessions come from: a zygote, or zygotes in succession."""

    @property
    def unsealed(self) -> tuple[str, ...]: ...

    async def spawn(self) -> Session: ...

    async def close(self) -> None: ...


class ZygoteKeeper:
    """Hands out sessions; whoever asks before the zygote is up waits for it.

    One that fails to start fails those who wait for it, and the next to ask tries again. One that
    dies later starts anew by itself, and nobody's request is lost over it.
    """

    def __init__(self, start: Callable[[], Awaitable[Source]]) -> None:
        self._start = start
        self._boot: asyncio.Task[Source] | None = None
        self._closed = False

    @property
    def state(self) -> State:
        if self._closed:
            return "closed"
        if self._boot is None or not self._boot.done():
            return "starting"
        return "failed" if self._boot.cancelled() or self._boot.exception() else "ready"

    @property
    def unsealed(self) -> tuple[str, ...] | None:
        """The layers of the seal that sessions lack; None as long as that is not known."""
        if self._boot is None or self.state != "ready":
            return None
        return self._boot.result().unsealed

    async def ready(self) -> None:
        """Start the zygote unless it is up, and wait for it. Raises what its start raises."""
        await self._current()

    async def spawn(self) -> Session:
        """A fresh session. Raises what the zygote's start raises, and NotReady once closed."""
        zygote = await self._current()
        try:
            return await self._spawn_from(zygote)
        except ZygoteError as error:
            _log.warning("the zygote died in the middle of a fork", extra={"reason": str(error)})
        return await self._spawn_from(zygote)

    async def close(self) -> None:
        """End the zygote and with it every session. Idempotent."""
        self._closed = True
        boot, self._boot = self._boot, None
        if boot is None:
            return
        boot.cancel()
        await asyncio.wait({boot})
        if not boot.cancelled() and not boot.exception():
            await boot.result().close()

    async def _spawn_from(self, zygote: Source) -> Session:
        try:
            return await zygote.spawn()
        except SandboxClosed as error:
            raise NotReady(_CLOSING) from error

    async def _current(self) -> Source:
        if self._closed:
            raise NotReady(_CLOSING)
        if self._boot is None or self.state == "failed":
            self._boot = asyncio.ensure_future(self._start())
            self._boot.add_done_callback(_note)
        boot = self._boot
        # Not awaited itself: a request that is given up must not cancel it for the others.
        await asyncio.wait({boot})
        if boot.cancelled():
            raise NotReady(_CLOSING)
        return boot.result()


def _note(boot: asyncio.Task[Source]) -> None:
    if boot.cancelled():
        return
    if error := boot.exception():
        _log.error("the zygote did not start", extra={"reason": str(error)})
    else:
        _log.info("the zygote is ready")
