"""Bytes into the session's own file system, and out of it."""

from __future__ import annotations

import asyncio

from rlm_kernel.manager.handlers.base import Handler, Services
from rlm_kernel.sandbox import Upload

_endings: set[asyncio.Future[None]] = set()
"""Kept until they are done: the loop itself would forget them."""


class SessionFile(Handler):
    """`/session/{id}/files/{path}`. A path is relative to where the session's code runs.

    A file whose body breaks off half-way never comes to be.
    """

    def initialize(self, services: Services) -> None:
        super().initialize(services)
        self._upload: Upload | None = None

    @property
    def max_body_bytes(self) -> int:
        return self.services.max_file_bytes

    def check(self) -> None:
        super().check()
        self._session = self.services.manager.get(self.path_args[0])
        if self.request.method == "PUT":
            self._upload = self._session.upload(self.path_args[1])

    async def take(self, chunk: bytes) -> None:
        if self._upload is not None:
            with self._session.in_use():
                await self._upload.write(chunk)

    async def put(self, _session_id: str, _path: str) -> None:
        assert self._upload is not None
        with self._session.in_use():
            await self._upload.finish()
        self.answer_nothing()

    async def get(self, _session_id: str, path: str) -> None:
        data = await self._session.get_file(path)
        self.set_header("Content-Type", "application/octet-stream")
        self.finish(data)

    def on_finish(self) -> None:
        super().on_finish()
        self._abandon()

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self._abandon()

    def _abandon(self) -> None:
        """Has nothing left of a file that did not come to its end."""
        upload, self._upload = self._upload, None
        if upload is not None:
            ending = asyncio.ensure_future(upload.abandon())
            _endings.add(ending)
            ending.add_done_callback(_endings.discard)
