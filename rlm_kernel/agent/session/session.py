"""A manager's session as the environment of a run: files by HTTP, cells by Jupyter's channels."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
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
from rlm_kernel.agent.session.reach import are_within_reach
from rlm_kernel.errors import (
    AgentError,
    BodyTooLarge,
    ContextTooLarge,
    ManagerError,
    SessionExpired,
    SessionNotFound,
)
from rlm_kernel.manager.client import ManagerClient
from rlm_kernel.manager.wire import SessionInfo

Connect = Callable[[], ManagerClient]
Leave = Callable[[], Awaitable[None]]

_HANDED = f"{FOLDER}/handed"
_SETUP_SECONDS = 300.0
_PROBE_SECONDS = 60.0
_STOP_SECONDS = 5.0
_GIVE_UP_SECONDS = 1.0
_CLOSE_SECONDS = 10.0


class ManagedSession:
    """An `Environment`; `open` makes one. It owns its client and its session, and ends both.

    `connect` makes a client of the manager, `leave` is called once its session is over. It is a
    copy of the session that `copy_of` names.
    """

    def __init__(
        self, connect: Connect, leave: Leave | None = None, copy_of: str | None = None
    ) -> None:
        self._connect = connect
        self._copy_of = copy_of
        self._client = connect()
        self._leave = leave
        self._session_id = ""
        self._connection: Mapping[str, Any] = {}
        self._kernel: KernelConnection | None = None
        self._loads: list[Furnishing] = []
        self._running = False
        self._suspended = False
        self._closed = False

    @classmethod
    async def open(
        cls, connect: Connect, leave: Leave | None = None, copy_of: str | None = None
    ) -> ManagedSession:
        """A new session of the client's manager.

        Raises ManagerError, and ForkFailed of a copy; then nothing is left open.
        """
        session = cls(connect, leave, copy_of)
        try:
            await session._begin()
        except BaseException:
            await session.close()
            raise
        return session

    @property
    def session_id(self) -> str:
        """The session's id; another one after the session had expired."""
        return self._session_id

    @property
    def connection(self) -> Mapping[str, Any]:
        """The Jupyter connection info, with the key."""
        return self._connection

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
        await self._send(files)
        cell = Cell(self._open_kernel, _ignore, _refuse)
        try:
            return await cell.run(code, _SETUP_SECONDS, store_history=False)
        except ConnectionLostError:
            return await self._after_loss(cell, reopen=False)

    async def read(self, path: str) -> bytes:
        """The bytes of a file. Raises FileError, ManagerError."""
        return await self._client.get_file(self._session_id, path)

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
        self._client, self._suspended = self._connect(), False
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
        return await ManagedSession.open(self._connect, copy_of=self._session_id)

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
        self._session_id = (await self._create()).session_id
        await self._attach()

    async def _attach(self) -> None:
        """Connect to the session's kernel, from wherever we are."""
        self._connection = await self._client.connection(self._session_id)
        if await are_within_reach(self._client.base_url, self._connection):
            self._kernel = await KernelConnection.open(self._connection)
        else:
            url, headers = self._client.channels(self._session_id)
            self._kernel = await KernelConnection.open_from_afar(url, headers)

    async def _reconnect(self) -> bool:
        """Whether the session is still as it was."""
        try:
            await self._attach()
            return await self._probe()
        except (SessionExpired, SessionNotFound):
            await self._begin()
            return False

    async def _create(self) -> SessionInfo:
        creating = asyncio.ensure_future(self._created())
        try:
            return await asyncio.shield(creating)
        except asyncio.CancelledError:
            await unbroken(self._give_up(creating))
            raise

    async def _created(self) -> SessionInfo:
        if self._copy_of is None:
            return await self._client.create_session()
        return await self._client.fork_session(self._copy_of, mid_cell=True)

    async def _give_up(self, creating: asyncio.Future[SessionInfo]) -> None:
        """Learn the id of a session that is about to exist, for `close` to delete it.

        A manager that still boots is not waited for: it deletes what nobody waits for any more.
        """
        await asyncio.wait({creating}, timeout=_GIVE_UP_SECONDS)
        creating.cancel()
        with suppress(ManagerError, asyncio.CancelledError):
            self._session_id = (await creating).session_id

    async def _load(self, load: Furnishing) -> None:
        result = await self.prepare(load.files, load.code)
        if result.error is None:
            return
        ename, evalue = result.error
        if ename == "MemoryError":
            raise ContextTooLarge("the context does not fit into the session's memory")
        raise AgentError(f"the context could not be loaded into the session: {ename}: {evalue}")

    async def _send(self, files: Mapping[str, ContextFile]) -> None:
        client, session = self._client, self._session_id
        try:
            for path, file in files.items():
                if file.form == "files":
                    await client.write_folder(session, path, file.stream())
                else:
                    await client.put_file(session, path, file.stream())
        except BodyTooLarge as error:
            raise ContextTooLarge(f"the manager does not take the context: {error}") from error

    async def _load_again(self) -> None:
        if self._copy_of is not None:
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
            await self._client.session(self._session_id)
        except SessionExpired as error:
            if not reopen or self._copy_of is not None:
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
                await self._stop()
        finally:
            self._running = False
            await self._disconnect()
            await self._client.close()

    async def _stop(self) -> None:
        """End the cell that runs; one that does not end by itself takes the variables with it."""
        client, session = self._client, self._session_id
        with suppress(ManagerError):
            await client.interrupt(session)
            try:
                async with asyncio.timeout(_STOP_SECONDS):
                    await client.execute(session, "")
            except TimeoutError:
                await client.restart(session)

    async def _end(self) -> None:
        await self._disconnect()
        client = self._connect() if self._suspended else self._client
        with suppress(ManagerError, TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                if self._session_id:
                    await client.delete_session(self._session_id)
        await client.close()
        if self._leave is not None:
            await self._leave()


def _ignore(kind: OutputKind, text: str, rich: RichOutput | None = None) -> None:
    """Nobody watches this cell."""


async def _refuse(name: str, args: dict[str, Any]) -> Any:
    raise HostCallFailedError("NotAvailable", f"{name} cannot be called here")
