"""The files of a session, as requests come to them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import TypeVar

from rlm_kernel import sandbox
from rlm_kernel.kernel import Kernel
from rlm_kernel.sandbox import FilePage, FilePiece

Result = TypeVar("Result")


class SessionFiles:
    """Reads, lists, writes and removes files. Each method raises FileError and SessionNotFound.

    What a request begins or ends with is done `in_turn`, between the cells before and after it,
    and RequestAborted tells of a restart before that. What else it does need not wait in line.
    """

    def __init__(
        self,
        session: sandbox.Session,
        kernel: Kernel,
        in_use: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._session = session
        self._kernel = kernel
        self._in_use = in_use

    async def in_turn(self, work: Callable[[], Awaitable[Result]]) -> Result:
        """Does `work`, which uses the other methods, when all requests before it are served."""
        with self._in_use():
            return await self._kernel.in_turn(work)

    async def read(self, path: str, offset: int, length: int) -> FilePiece:
        """Some bytes of a file."""
        with self._in_use():
            return await self._session.read_file(path, offset, length)

    async def list(self, path: str, cursor: int = 0) -> FilePage:
        """Some entries of a folder."""
        with self._in_use():
            return await self._session.list_files(path, cursor)

    async def remove(self, path: str) -> None:
        """Removes a file, a link, or a folder with all that is in it."""
        with self._in_use():
            await self._session.remove_file(path)

    async def make_folder(self, path: str) -> None:
        """Makes a folder, and those that it is in, unless they are there."""
        with self._in_use():
            await self._session.make_folder(path)

    async def make_link(self, path: str, target: str) -> None:
        """Makes a symbolic link, in place of a file or link that was there."""
        with self._in_use():
            await self._session.make_link(path, target)

    def upload(self, path: str) -> IncomingFile:
        """A file that is about to come."""
        return IncomingFile(self._session.upload(path), self._in_use)


class IncomingFile:
    """A file on its way into the session, which sees nothing of it before `finish`."""

    def __init__(
        self, upload: sandbox.Upload, in_use: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._upload = upload
        self._in_use = in_use

    async def write(self, data: bytes) -> None:
        """Adds to the file."""
        with self._in_use():
            await self._upload.write(data)

    async def finish(self) -> None:
        """Puts the file under its name, in place of what was there."""
        with self._in_use():
            await self._upload.finish()

    async def abandon(self) -> None:
        """Forgets the file, unless it is finished. Idempotent."""
        await self._upload.abandon()
