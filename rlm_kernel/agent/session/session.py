"""A manager's session as the environment of a run: furnished, and cells by Jupyter's channels."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rlm_kernel.agent.answers import TextAnswer
from rlm_kernel.agent.cancellation import unbroken
from rlm_kernel.agent.context import ContextFile
from rlm_kernel.agent.environment import CellResult, HostCallFailedError, OnHostCall, OnOutput
from rlm_kernel.agent.events import OutputKind, RichOutput
from rlm_kernel.agent.session.cell import Cell
from rlm_kernel.agent.session.channels import ConnectionLostError
from rlm_kernel.agent.session.connection import KernelConnection
from rlm_kernel.agent.session.furnishing import FOLDER, Furnishing
from rlm_kernel.agent.session.hosted_session import HostedSession
from rlm_kernel.errors import (
    AgentError,
    ContextTooLarge,
    ManagerError,
    SessionExpired,
    SessionNotFound,
)

Leave = Callable[[], Awaitable[None]]

_HANDED = f"{FOLDER}/handed"
_SETUP_SECONDS = 300.0
_PROBE_SECONDS = 60.0


class ManagedSession:
    """An `Environment`; `open` makes one. It owns the session that hosts it, and ends that.

    `leave` is called once the session is over.
    """

    def __init__(self, hosted: HostedSession, leave: Leave | None = None) -> None:
        self._hosted = hosted
        self._leave = leave
        self._kernel: KernelConnection | None = None
        self._loads: list[Furnishing] = []
        self._running = False
        self._suspended = False
        self._closed = False

    @classmethod
    async def open(cls, hosted: HostedSession, leave: Leave | None = None) -> ManagedSession:
        """A new session, as `hosted` creates it.

        Raises ManagerError, and ForkFailed of a copy; then nothing is left open.
        """
        session = cls(hosted, leave)
        try:
            await session._begin()
        except BaseException:
            await session.close()
            raise
        return session

    @property
    def session_id(self) -> str:
        """The session's id; another one after the session had expired."""
        return self._hosted.session_id

    @property
    def connection(self) -> Mapping[str, Any]:
        """The Jupyter connection info, with the key."""
        return self._hosted.connection

    async def load(
        self,
        context: ContextFile | None,
        *,
        sub_calls: bool,
        recursion: bool,
        tools: Sequence[Mapping[str, str]] = (),
        names: Sequence[str] = ("context",),
        history: ContextFile | None = None,
    ) -> None:
        """Define `context` and the model's functions. Raises AgentError where that fails."""
        load = Furnishing.of(
            context,
            names,
            history,
            {"sub_calls": sub_calls, "recursion": recursion, "tools": [*map(dict, tools)]},
        )
        await self._load(load)
        self._loads.append(load)

    async def execute(
        self, code: str, *, timeout_s: float, on_output: OnOutput, on_host_call: OnHostCall
    ) -> CellResult:
        """Run a cell; see `Environment`."""
        cell = Cell(self._open_kernel, on_output, on_host_call)
        self._running = True
        try:
            result = await cell.run(code, timeout_s)
            self._running = False
            if result.state != "lost" and not await self._is_furnished(cell):
                result = replace(result, state="lost")
        except ConnectionLostError:
            return await self._after_loss(cell)
        if result.state == "lost":
            await self._load_again()
        return result

    async def take_text_answer(
        self, answer: TextAnswer, *, timeout_s: float, on_host_call: OnHostCall
    ) -> CellResult:
        """Have the session work out a textual answer; see `Environment`."""
        return await self.execute(
            answer.code,
            timeout_s=timeout_s,
            on_output=_ignore,
            on_host_call=on_host_call,
        )

    async def prepare(self, files: Mapping[str, ContextFile], code: str) -> CellResult:
        """Write files, by path, then run code that is no part of the session's history.

        Raises ManagerError, SessionExpired among them: the session is then of no use any more.
        """
        await self._hosted.write(files)
        cell = Cell(self._open_kernel, _ignore, _refuse)
        try:
            return await cell.run(code, _SETUP_SECONDS, store_history=False)
        except ConnectionLostError:
            return await self._after_loss(cell, reopen=False)

    async def read(self, path: str) -> bytes:
        """The bytes of a file. Raises FileError, ManagerError."""
        return await self._hosted.read(path)

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt in the cell that runs."""
        self._open_kernel.interrupt()

    async def suspend(self) -> None:
        """Stop what runs and disconnect; the session lives on. Idempotent."""
        if not (self._suspended or self._closed):
            self._suspended = True
            await unbroken(self._let_go())

    async def resume(self) -> bool:
        """Connect again; see `Environment`. Raises ManagerError."""
        self._hosted.connect_again()
        self._suspended = False
        try:
            kept = await self._reconnect()
            if not kept:
                await self._load_again()
            return kept
        except BaseException:
            await self.suspend()
            raise

    async def fork(self) -> ManagedSession:
        """A live copy of the session; see `Environment`."""
        return await ManagedSession.open(self._hosted.copy())

    async def fetch_handed(self, key: str) -> bytes:
        """JSON out of a copy: the session itself waits; see `Environment`."""
        copy = await self.fork()
        try:
            setup = "from rlm_kernel.guest import rlm as _setup"
            code = f"{setup}\n_setup.write_handed({key!r}, {_HANDED!r})"
            result = await copy.prepare({}, code)
            if result.error is not None:
                reason = ": ".join(result.error)
                raise AgentError(f"the context could not be taken out of the session: {reason}")
            return await copy.read(_HANDED)
        finally:
            await copy.close()

    async def close(self) -> None:
        """Disconnect and delete the session, which ends what runs in it. Idempotent."""
        if not self._closed:
            self._closed = True
            await unbroken(self._end())

    @property
    def _open_kernel(self) -> KernelConnection:
        if self._kernel is None:
            raise AgentError("the session is closed")
        return self._kernel

    async def _begin(self) -> None:
        await self._hosted.create()
        self._kernel = await self._hosted.attach()

    async def _reconnect(self) -> bool:
        """Whether the session is still as it was."""
        try:
            self._kernel = await self._hosted.attach()
            return await self._probe()
        except (SessionExpired, SessionNotFound):
            await self._begin()
            return False

    async def _load(self, load: Furnishing) -> None:
        result = await self.prepare(load.files, load.code)
        if result.error is None:
            return
        ename, evalue = result.error
        if ename == "MemoryError":
            raise ContextTooLarge("the context does not fit into the session's memory")
        raise AgentError(f"the context could not be loaded into the session: {ename}: {evalue}")

    async def _load_again(self) -> None:
        if self._hosted.is_copy:
            raise AgentError("the session, a copy of another, is lost with all that it had of it")
        for load in self._loads:
            await self._load(load)

    async def _is_furnished(self, cell: Cell) -> bool:
        """Whether the session still is as it was loaded.

        People may have restarted it, and the copy that it went back to may be from before.
        """
        if cell.is_furnished is not None or not self._loads:
            return cell.is_furnished is not False
        return await self._probe()

    async def _probe(self) -> bool:
        probe = Cell(self._open_kernel, _ignore, _refuse)
        await probe.run("", _PROBE_SECONDS, store_history=False)
        return probe.is_furnished is True

    async def _after_loss(self, cell: Cell, *, reopen: bool = True) -> CellResult:
        """What to tell of a cell whose kernel hung up; raises what the manager says of it."""
        self._running = False
        try:
            await self._hosted.check()
        except SessionExpired as error:
            if not reopen or self._hosted.is_copy:
                raise
            await self._disconnect()
            await self._begin()
            await self._load_again()
            return cell.result(error=(type(error).__name__, str(error)), state="lost")
        raise ManagerError("the session lives, but its kernel hung up")

    async def _disconnect(self) -> None:
        if self._kernel is not None:
            await self._kernel.close()
            self._kernel = None

    async def _let_go(self) -> None:
        try:
            if self._running:
                await self._hosted.stop()
        finally:
            self._running = False
            await self._disconnect()
            await self._hosted.disconnect()

    async def _end(self) -> None:
        await self._disconnect()
        if self._suspended:
            self._hosted.connect_again()
        await self._hosted.delete()
        await self._hosted.disconnect()
        if self._leave is not None:
            await self._leave()


def _ignore(kind: OutputKind, text: str, rich: RichOutput | None = None) -> None:
    """Nobody watches this cell."""


async def _refuse(name: str, args: dict[str, Any]) -> Any:
    raise HostCallFailedError("NotAvailable", f"{name} cannot be called here")
