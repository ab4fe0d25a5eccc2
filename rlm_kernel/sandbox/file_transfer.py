"""Files in and out of a session, in pieces, from the owner's side."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from rlm_kernel.errors import FileError, FileMissing, SandboxError
from rlm_kernel.guest.frames import Frame
from rlm_kernel.sandbox.file_answers import FilePage, FilePiece, file_page, file_piece, shown

PIECE_BYTES = 4 << 20
PAGE_ENTRIES = 1000

_PROBLEMS = {
    "EISDIR": "is a directory",
    "ENOTDIR": "a part of its path is not a directory",
    "ENOSPC": "no room is left in the session",
    "ENAMETOOLONG": "the name is too long",
    "ELOOP": "too many symbolic links",
    "EINVAL": "is not a path of a regular file",
    "EBUSY": "cannot be removed",
    "ESTALE": "the session lost what had been sent of it",
}

Answer = TypeVar("Answer", FilePiece, FilePage)
Exchange = Callable[[str, dict[str, Any], bytes], Awaitable[Frame]]
"""Sends a request (kind, content, data) to the session's process and gives its answer."""


class FileTransfer:
    """Writes and reads files of the session behind `exchange`. Each method raises FileError."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def put(self, path: str, data: bytes) -> None:
        """Writes a file: whole, or not at all."""
        upload = self.upload(path)
        try:
            for start in range(0, len(data), PIECE_BYTES):
                await upload.write(data[start : start + PIECE_BYTES])
            await upload.finish()
        except BaseException:
            await upload.abandon()
            raise

    def upload(self, path: str) -> Upload:
        """A file that comes in pieces."""
        return Upload(self._request, path)

    async def get(self, path: str) -> bytes:
        """The bytes that the file had when reading began, as far as they are still there."""
        content, size = bytearray(), 1
        while len(content) < size:
            piece = await self.read(path, len(content))
            size = piece.size if not content else size
            if not piece.data:
                break
            content += piece.data
        return bytes(content)

    async def read(self, path: str, offset: int, length: int = PIECE_BYTES) -> FilePiece:
        """At most `length` bytes of a file from an offset on, and no more than one piece."""
        length = min(length, PIECE_BYTES)
        reply = await self._request("get_file", {"path": path, "offset": offset, "length": length})
        return _believed(path, file_piece(reply.content, reply.buffers, length))

    async def list(self, path: str, cursor: int = 0) -> FilePage:
        """The entries of a folder, in the order in which they came to be, a page at a time."""
        asked = {"path": path, "after": cursor, "count": PAGE_ENTRIES}
        reply = await self._request("list_files", asked)
        return _believed(path, file_page(reply.content, PAGE_ENTRIES))

    async def remove(self, path: str) -> None:
        """Removes a file, a link, or a folder with all that is in it."""
        await self._request("remove_file", {"path": path})

    async def make_folder(self, path: str) -> None:
        """Makes a folder, and those that it is in, unless they are there."""
        await self._request("make_folder", {"path": path})

    async def make_link(self, path: str, target: str) -> None:
        """Makes a symbolic link, in place of a file or link that was there."""
        await self._request("make_link", {"path": path, "target": target})

    async def _request(self, kind: str, content: dict[str, Any], data: bytes = b"") -> Frame:
        path = content["path"]
        reply = await self._exchange(kind, content, data)
        error = reply.content.get("error")
        if error == "ENOENT":
            raise FileMissing(f"{shown(path)}: there is no such file in the session")
        if error is not None:
            raise FileError(f"{shown(path)}: {_PROBLEMS.get(str(error), str(error)[:80])}")
        return reply


class Upload:
    """A file on its way into the session, which sees nothing of it before `finish` has returned.

    `write` and `finish` raise FileError, and then there is nothing left of it.
    """

    def __init__(self, request: Exchange, path: str) -> None:
        self._request = request
        self._path = path
        self._id = secrets.token_hex()
        self._sent = 0
        self._pending = bytearray()
        self._begun = self._ended = False

    async def write(self, data: bytes) -> None:
        """Adds to the file."""
        self._pending += data
        while len(self._pending) > PIECE_BYTES:
            await self._send(PIECE_BYTES, last=False)

    async def finish(self) -> None:
        """Puts the file under its name, in place of what was there."""
        await self._send(PIECE_BYTES, last=True)
        self._ended = True

    async def abandon(self) -> None:
        """Forgets the file, unless it is finished. Idempotent."""
        if self._begun and not self._ended:
            with contextlib.suppress(SandboxError):
                await self._request("drop_file", {"path": self._path, "upload": self._id}, b"")
        self._ended = True

    async def _send(self, length: int, *, last: bool) -> None:
        piece = bytes(self._pending[:length])
        content = {"path": self._path, "upload": self._id, "offset": self._sent, "last": last}
        self._begun = True
        await self._request("put_file", content, piece)
        self._sent += len(piece)
        del self._pending[:length]


def _believed(path: str, answer: Answer | None) -> Answer:
    if answer is None:
        raise FileError(f"{shown(path)}: the session gave an answer of a wrong form")
    return answer
