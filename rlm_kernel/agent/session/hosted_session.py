"""A manager's session by HTTP: made, attached to, written to and read, stopped and deleted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from rlm_kernel.agent.cancellation import unbroken
from rlm_kernel.agent.context import ContextFile
from rlm_kernel.agent.session.connection import KernelConnection
from rlm_kernel.agent.session.reach import are_within_reach
from rlm_kernel.errors import BodyTooLarge, ContextTooLarge, ManagerError
from rlm_kernel.manager.client import ManagerClient
from rlm_kernel.manager.wire import SessionInfo

Connect = Callable[[], ManagerClient]

_STOP_SECONDS = 5.0
_GIVE_UP_SECONDS = 1.0
_DELETE_SECONDS = 10.0


class HostedSession:
    """A session of the manager that `connect` makes a client of, which it owns.

    It is a copy of the session that `copy_of` names. `session_id` is empty before `create`, and
    another one after each; `connection` is the Jupyter connection info, with the key.
    """

    def __init__(self, connect: Connect, copy_of: str | None = None) -> None:
        self._connect = connect
        self._copy_of = copy_of
        self._client = connect()
        self.session_id = ""
        self.connection: Mapping[str, Any] = {}

    @property
    def is_copy(self) -> bool:
        """Whether it began as a copy of another session."""
        return self._copy_of is not None

    def copy(self) -> HostedSession:
        """What can be created as a live copy of this one."""
        return HostedSession(self._connect, self.session_id)

    async def create(self) -> None:
        """Make a new session. Raises ManagerError, and ForkFailed of a copy.

        Where it is cancelled `session_id` is that of the session which came to be all the same.
        """
        creating = asyncio.ensure_future(self._created())
        try:
            self.session_id = (await asyncio.shield(creating)).session_id
        except asyncio.CancelledError:
            await unbroken(self._give_up(creating))
            raise

    async def attach(self) -> KernelConnection:
        """Connect to the session's kernel, from wherever we are. Raises ManagerError."""
        self.connection = await self._client.connection(self.session_id)
        if await are_within_reach(self._client.base_url, self.connection):
            return await KernelConnection.open(self.connection)
        url, headers = self._client.channels(self.session_id)
        return await KernelConnection.open_from_afar(url, headers)

    async def check(self) -> None:
        """Raises ManagerError where the session lives no more: SessionExpired, say."""
        await self._client.session(self.session_id)

    async def write(self, files: Mapping[str, ContextFile]) -> None:
        """Write files, by path. Raises ManagerError."""
        client, session = self._client, self.session_id
        try:
            for path, file in files.items():
                if file.form == "files":
                    await client.write_folder(session, path, file.stream())
                else:
                    await client.put_file(session, path, file.stream())
        except BodyTooLarge as error:
            raise ContextTooLarge(f"the manager does not take the context: {error}") from error

    async def read(self, path: str) -> bytes:
        """The bytes of a file. Raises FileError, ManagerError."""
        return await self._client.get_file(self.session_id, path)

    async def stop(self) -> None:
        """End the cell that runs; one that does not end by itself takes the variables with it."""
        client, session = self._client, self.session_id
        with suppress(ManagerError):
            await client.interrupt(session)
            try:
                async with asyncio.timeout(_STOP_SECONDS):
                    await client.execute(session, "")
            except TimeoutError:
                await client.restart(session)

    async def delete(self) -> None:
        """End the session, and what runs in it; a manager that does not answer is given up."""
        with suppress(ManagerError, TimeoutError):
            async with asyncio.timeout(_DELETE_SECONDS):
                if self.session_id:
                    await self._client.delete_session(self.session_id)

    def connect_again(self) -> None:
        """Use another client, after `disconnect`."""
        self._client = self._connect()

    async def disconnect(self) -> None:
        """Close the client; the session lives on."""
        await self._client.close()

    async def _created(self) -> SessionInfo:
        if self._copy_of is None:
            return await self._client.create_session()
        return await self._client.fork_session(self._copy_of, mid_cell=True)

    async def _give_up(self, creating: asyncio.Future[SessionInfo]) -> None:
        """Learn the id of a session that is about to exist, for whoever deletes it.

        A manager that still boots is not waited for: it deletes what nobody waits for any more.
        """
        await asyncio.wait({creating}, timeout=_GIVE_UP_SECONDS)
        creating.cancel()
        with suppress(ManagerError, asyncio.CancelledError):
            self.session_id = (await creating).session_id
