"""The requests that are being answered, so that closing down can wait for their answers."""

from __future__ import annotations

import asyncio


class Traffic:
    """A set of requests that knows when it is empty."""

    def __init__(self) -> None:
        self._present: set[object] = set()
        self._quiet = asyncio.Event()
        self._quiet.set()

    def arrived(self, request: object) -> None:
        self._present.add(request)
        self._quiet.clear()

    def gone(self, request: object) -> None:
        """The request was answered, or nobody waits for the answer. Idempotent."""
        self._present.discard(request)
        if not self._present:
            self._quiet.set()

    async def quiet(self) -> None:
        """Wait until no request is left."""
        await self._quiet.wait()
