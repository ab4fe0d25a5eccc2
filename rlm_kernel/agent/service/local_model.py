"""The local model of a service: started beside it, and started again when its process ends."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from pathlib import Path

from rlm_kernel.agent.models.local import LocalModelServer
from rlm_kernel.agent.models.model import Model
from rlm_kernel.errors import NotReady, RLMKernelError

_PAUSE_SECONDS = 5.0

_log = logging.getLogger(__name__)


class LocalModelKeeper:
    """Keeps the model of a GGUF file served; `begin` starts it, `close` ends it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._server: LocalModelServer | None = None
        self._problem = "the local model is being loaded"
        self._keeping: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """How the model is called in what a run took."""
        return f"local/{self._path.stem}"

    @property
    def problem(self) -> str | None:
        """Why it cannot be asked now."""
        return self._problem if self._server is None else None

    @property
    def pid(self) -> int | None:
        """Its process, if there is one."""
        return None if self._server is None else self._server.pid

    def model(self) -> Model:
        """Raises NotReady."""
        if self._server is None:
            raise NotReady(self._problem, 5)
        return self._server.model()

    def begin(self) -> None:
        self._keeping = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """Idempotent."""
        if self._keeping is not None:
            self._keeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeping

    async def _keep(self) -> None:
        while True:
            try:
                await self._serve()
            except RLMKernelError as error:
                self._problem = f"the local model: {error}"
            _log.error("the local model is not served", extra={"reason": self._problem})
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _serve(self) -> None:
        """Until the process ends."""
        starting = asyncio.ensure_future(asyncio.to_thread(LocalModelServer.start, self._path))
        try:
            server = await asyncio.shield(starting)
        except asyncio.CancelledError:
            with suppress(RLMKernelError):
                (await starting).close()
            raise
        with server:
            self._server = server
            _log.info("the local model is served", extra={"model": server.model().name})
            try:
                await asyncio.to_thread(server.wait)
            finally:
                self._server = None
        self._problem = "the local model: its process ended, and starts anew"
