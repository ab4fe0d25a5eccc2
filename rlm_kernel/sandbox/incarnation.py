"""The process that a session runs in now, and the ones that it may fall back to."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from rlm_kernel.errors import SandboxClosed
from rlm_kernel.sandbox.events import State
from rlm_kernel.sandbox.observer import Observer
from rlm_kernel.sandbox.process import SessionProcess
from rlm_kernel.sandbox.standby import Standby

log = logging.getLogger(__name__)


class ProcessSource(Protocol):
    """Where sessions get their processes from; it ends them all when it is closed itself."""

    async def fork(self) -> SessionProcess:
        """A fresh process. Raises ZygoteError, or SandboxClosed."""

    def track(self, process: SessionProcess) -> None:
        """Takes a copy of one of its processes into its care."""


class Incarnation:
    """Replaces a process that has ended: by the standby where there is one, else by a fresh one.

    `untold` is what such a replacement did to the variables, until somebody has been told.
    """

    def __init__(self, source: ProcessSource, process: SessionProcess) -> None:
        self.source = source
        self.process = process
        self.standby = Standby()
        self.untold: State = "kept"
        self.observer = Observer()
        self._mourned: SessionProcess | None = None
        self._dismissed: SessionProcess | None = None
        self._ends = 0
        self._closed = False

    @property
    def is_living(self) -> bool:
        """Whether the process is there, and neither has ended nor is ended for good."""
        return not self._closed and not self.process.ended.done()

    async def living(self) -> SessionProcess:
        """The process, a new one where the last has ended. Raises SandboxClosed, ZygoteError."""
        if self._closed:
            raise SandboxClosed("the session is closed")
        if self.process.ended.done():
            await self.fall_back()
        if self.process.ended.done():
            self.process = await self._fresh()
        return self.process

    async def _fresh(self) -> SessionProcess:
        process = await self.source.fork()
        if self._closed:  # meanwhile
            process.kill("the session was closed")
            await process.ended
            raise SandboxClosed("the session is closed")
        return process

    async def fall_back(self) -> None:
        """Takes the standby's process where there is one, and notes what is left to tell.

        Once for each process that has ended.
        """
        if self._mourned is self.process:
            return
        self._mourned, ends = self.process, self._ends
        standby = await self.standby.take()
        if standby is not None and ends != self._ends:
            standby.kill("the session was ended")  # meanwhile
            standby = None
        if standby is None:
            self.untold = "lost"
        else:
            self.process = standby
            self.untold = "lost" if self.untold == "lost" else "rolled_back"
        if self._mourned is not self._dismissed:
            self._report(self._mourned, "rolled_back" if standby else "lost")

    def _report(self, process: SessionProcess, state: State) -> None:
        cause, reason = process.cause, process.ended.result()
        log.info(
            "a session's process ended",
            extra={"cause": cause, "reason": reason, "state": state, "pid": process.pid},
        )
        self.observer.process_ended(cause, state)

    def tell(self) -> State:
        """What became of the variables since this was last asked."""
        state, self.untold = self.untold, "kept"
        return state

    async def copy(self) -> SessionProcess:
        """A frozen copy of the process. Raises OSError when it ends before."""
        copy = await self.process.copy()
        self.source.track(copy)
        return copy

    async def renew_standby(self) -> None:
        """Copies the process, unless it is ended meanwhile. Raises OSError when it ends itself."""
        if self._closed or self.process.ended.done():
            return
        ends = self._ends
        copy = await self.copy()
        if ends == self._ends:
            self.standby.keep(copy)
        else:
            copy.kill("the session was ended")
            await copy.ended

    async def end(self, reason: str) -> None:
        """Ends the process and its standby, which the next `living` replaces by a fresh one.

        Both are killed at once, and then waited for.
        """
        self._ends += 1
        self._dismissed = self.process
        self.process.kill(reason)
        self.standby.drop()
        await asyncio.gather(self.process.ended, self.standby.ended())

    async def close(self) -> None:
        """Ends it for good. Idempotent."""
        self._closed = True
        await self.end("the session was closed")
