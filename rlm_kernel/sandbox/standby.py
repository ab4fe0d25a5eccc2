"""The frozen copy of a session that a cell which must be killed falls back to."""

from __future__ import annotations

import asyncio

from rlm_kernel.sandbox.process import SessionProcess


class Standby:
    """At most one process, and what it does not know: cells that ran, and files that were put."""

    def __init__(self) -> None:
        self.cells_behind = 0
        self.files_behind = False
        self._current = False
        self._process: SessionProcess | None = None
        self._ending: set[asyncio.Future[str]] = set()

    @property
    def ready(self) -> bool:
        return self._process is not None and not self._process.ended.done()

    @property
    def knows_all(self) -> bool:
        """Whether it is there, and nothing has been asked of the session since it was copied."""
        return self.ready and self._current

    def keep(self, process: SessionProcess) -> None:
        """Keeps this copy in place of the one before."""
        self.drop()
        self._process = process
        self.cells_behind, self.files_behind, self._current = 0, False, True

    def miss_request(self, kind: str) -> None:
        """The session has answered a request of this kind."""
        self._current = False
        self.cells_behind += kind == "execute_request"

    def miss_file(self) -> None:
        """The session is given a file."""
        self._current, self.files_behind = False, True

    async def take(self) -> SessionProcess | None:
        """Gives the copy away, awake; nothing where there is none, or it has ended."""
        process, self._process = self._process, None
        if process is None or process.ended.done() or not await process.thaw():
            return None
        return process

    def drop(self) -> None:
        """Ends the copy without waiting for its end."""
        process, self._process = self._process, None
        if process is not None:
            process.kill("it is no longer needed")
            self._ending.add(process.ended)
            process.ended.add_done_callback(self._ending.discard)

    async def ended(self) -> None:
        """Waits until all dropped copies are no more."""
        await asyncio.gather(*self._ending)
