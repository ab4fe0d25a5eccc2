"""A session that can be asked at once: requests wait until its zygote has booted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from rlm_kernel.errors import SandboxClosed
from rlm_kernel.kernel.message import Content
from rlm_kernel.kernel.sink import GuestSession
from rlm_kernel.sandbox import Event, Reply

INTERRUPTED = {
    "ename": "KeyboardInterrupt",
    "evalue": "interrupted while the session was starting",
    "traceback": ["KeyboardInterrupt: interrupted while the session was starting"],
}


class Boot(Protocol):
    """What sessions come from, such as a `rlm_kernel.sandbox.Zygote`."""

    async def spawn(self) -> GuestSession: ...

    async def close(self) -> None: ...


class BootingSession:
    """Stands for the one session of a boot that is still going on.

    A boot that fails answers the request that waits for it with its error, and the next request
    boots anew. Closing it also closes what the session came from.
    """

    def __init__(self, boot: Callable[[], Awaitable[Boot]]) -> None:
        self.on_event: Callable[[Event], None] | None = None
        self._boot = boot
        self._origin: Boot | None = None
        self._session: GuestSession | None = None
        self._booting: asyncio.Task[GuestSession] | None = asyncio.create_task(self._start())
        self._interrupted = asyncio.Event()
        self._waiting = 0
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The process of the session, once there is one."""
        return None if self._session is None else self._session.pid

    async def request(
        self,
        kind: str,
        content: Content,
        *,
        request_id: str,
        timeout: float | None = None,
        buffers: Sequence[bytes] = (),
    ) -> Reply:
        session = self._session or await self._wait()
        if session is None:
            if self.on_event is not None:
                self.on_event(Event("error", request_id, dict(INTERRUPTED)))
            return Reply({"status": "error", **INTERRUPTED})
        return await session.request(
            kind, content, request_id=request_id, timeout=timeout, buffers=buffers
        )

    def interrupt(self, request_id: str | None = None) -> None:
        """Interrupts the running cell, or the wait of the first one."""
        if self._session is not None and not self._waiting:
            self._session.interrupt(request_id)
        else:
            self._interrupted.set()

    def answer_input(self, value: str, question: object = None) -> None:
        if self._session is not None:
            self._session.answer_input(value, question)

    def refuse_input(self, error: dict[str, str], question: object = None) -> None:
        if self._session is not None:
            self._session.refuse_input(error, question)

    async def restart(self) -> None:
        if self._session is not None:
            await self._session.restart()

    async def close(self) -> None:
        self._closed = True
        if self._booting is not None:
            self._booting.cancel()
            await asyncio.wait({self._booting})
        if self._session is not None:
            await self._session.close()
        if self._origin is not None:
            await self._origin.close()

    async def _start(self) -> GuestSession:
        origin = await self._boot()
        try:
            session = await origin.spawn()
        except BaseException:
            await origin.close()
            raise
        self._origin = origin
        session.on_event = self.on_event
        self._session = session
        return session

    async def _wait(self) -> GuestSession | None:
        """The session once it is there; None when the wait was interrupted."""
        if self._closed:
            raise SandboxClosed("the session is closed")
        if self._booting is None:
            self._booting = asyncio.create_task(self._start())
        booting = self._booting
        if not self._waiting:
            self._interrupted.clear()
        self._waiting += 1
        interrupt = asyncio.create_task(self._interrupted.wait())
        try:
            await asyncio.wait({booting, interrupt}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._waiting -= 1
            interrupt.cancel()
        return None if self._interrupted.is_set() else self._outcome(booting)

    def _outcome(self, booting: asyncio.Task[GuestSession]) -> GuestSession:
        if booting.cancelled():
            raise SandboxClosed("the session was closed while it was starting")
        if booting.exception() is not None and self._booting is booting:
            self._booting = None  # another request that waited may have begun anew
        return booting.result()
