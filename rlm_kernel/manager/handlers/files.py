"""Bytes into the session's own file system, and out of it."""

from __future__ import annotations

from rlm_kernel.manager.handlers.base import Handler, Services

_PIECE_BYTES = 1024 * 1024


class SessionFile(Handler):
    """`/session/{id}/files/{path}`. A path is relative to where the session's code runs."""

    def initialize(self, services: Services) -> None:
        super().initialize(services)
        self._sent_some = False

    @property
    def max_body_bytes(self) -> int:
        return self.services.max_file_bytes

    def check(self) -> None:
        super().check()
        self._session = self.services.manager.get(self.path_args[0])

    async def take(self, chunk: bytes) -> None:
        if self.request.method != "PUT":
            return
        self.body += chunk
        if len(self.body) >= _PIECE_BYTES:
            await self._pass_on()

    async def put(self, _session_id: str, _path: str) -> None:
        if self.body or not self._sent_some:
            await self._pass_on()
        self.answer_nothing()

    async def get(self, _session_id: str, path: str) -> None:
        data = await self._session.get_file(path)
        self.set_header("Content-Type", "application/octet-stream")
        self.finish(data)

    async def _pass_on(self) -> None:
        data, self.body = bytes(self.body), bytearray()
        await self._session.put_file(self.path_args[1], data, append=self._sent_some)
        self._sent_some = True
