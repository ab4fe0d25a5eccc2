"""The local model of a service: started beside it, once its file is there, and started again when
its process ends."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from pathlib import Path

from rlm_kernel.agent.models.local import LocalModelServer
from rlm_kernel.agent.models.model import Model
from rlm_kernel.agent.service.local_file import LocalFile
from rlm_kernel.errors import ConfigurationError, NotReady, RLMKernelError

_LOADING = "the local model is being loaded"
_PAUSE_SECONDS = 5.0
_LOOK_SECONDS = 1.0

_log = logging.getLogger(__name__)


class LocalModelKeeper:
    """Keeps the model of a GGUF file served; `begin` starts it, `close` ends it.

    A file that is not there is looked for again when somebody wants the model: with `problem` or
    `model`, whose answer does not wait for that.
    """

    def __init__(self, file: LocalFile) -> None:
        self._file = file
        self._server: LocalModelServer | None = None
        self._name: str | None = None
        self._problem, self._lacking = _LOADING, False
        self._wanted = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None

    @property
    def name(self) -> str | None:
        """How the model is called in what a run took; None before it was ever served."""
        return self._name

    @property
    def problem(self) -> str | None:
        """Why it cannot be asked now."""
        self._wanted.set()
        return self._problem if self._server is None else None

    @property
    def pid(self) -> int | None:
        """Its process, if there is one."""
        return None if self._server is None else self._server.pid

    def model(self) -> Model:
        """Raises NotReady."""
        self._wanted.set()
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
                await self._serve(await self._found())
            except RLMKernelError as error:
                self._problem = f"the local model: {error}"
            _log.error("the local model is not served", extra={"reason": self._problem})
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _found(self) -> Path:
        """The file, as soon as it is there; looked for only while somebody asks."""
        while (path := await self._look()) is None:
            await asyncio.sleep(_LOOK_SECONDS)
            await self._wanted.wait()
        return path

    async def _look(self) -> Path | None:
        self._wanted.clear()
        try:
            path = await asyncio.to_thread(self._file.find)
        except ConfigurationError as error:
            self._lack(f"the local model: {error}")
            return None
        if self._lacking:
            self._problem, self._lacking = _LOADING, False
        return path

    def _lack(self, problem: str) -> None:
        if problem != self._problem:
            _log.warning("there is no local model to serve", extra={"reason": problem})
        self._problem, self._lacking = problem, True

    async def _serve(self, path: Path) -> None:
        """Until the process ends."""
        starting = asyncio.ensure_future(asyncio.to_thread(LocalModelServer.start, path))
        try:
            server = await asyncio.shield(starting)
        except asyncio.CancelledError:
            with suppress(RLMKernelError):
                (await starting).close()
            raise
        with server:
            self._server, self._name = server, server.model().name
            _log.info("the local model is served", extra={"model": self._name})
            try:
                await asyncio.to_thread(server.wait)
            finally:
                self._server = None
        self._problem = "the local model: its process ended, and starts anew"
