"""Files in and out of a session, in pieces, from the owner's side."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from rlm_kernel.errors import FileError, FileMissing
from rlm_kernel.guest.frames import Frame

PIECE_BYTES = 4 << 20

_PROBLEMS = {
    "EISDIR": "is a directory",
    "ENOTDIR": "a part of its path is not a directory",
    "ENOSPC": "no room is left in the session",
    "ENAMETOOLONG": "the name is too long",
    "ELOOP": "too many symbolic links",
    "EINVAL": "is not a path of a regular file",
}

Exchange = Callable[[str, dict[str, Any], bytes], Awaitable[Frame]]
"""Sends a request (kind, content, data) to the session's process and gives its answer."""


class FileTransfer:
    """Writes and reads files of the session behind `exchange`. Each method raises FileError."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def put(self, path: str, data: bytes, append: bool) -> None:
        for start in range(0, len(data) or 1, PIECE_BYTES):
            content = {"path": path, "append": append or start > 0}
            await self._request("put_file", content, data[start : start + PIECE_BYTES])

    async def get(self, path: str) -> bytes:
        """The bytes that the file had when reading began, as far as they are still there."""
        content, size = bytearray(), 1
        while len(content) < size:
            asked = {"path": path, "offset": len(content), "length": PIECE_BYTES}
            reply = await self._request("get_file", asked)
            (piece,) = reply.buffers
            size = reply.content["size"] if not content else size
            if not piece:
                break
            content += piece
        return bytes(content)

    async def _request(self, kind: str, content: dict[str, Any], data: bytes = b"") -> Frame:
        path = content["path"]
        reply = await self._exchange(kind, content, data)
        error = reply.content.get("error")
        if error == "ENOENT":
            raise FileMissing(f"{path}: there is no such file in the session")
        if error is not None:
            raise FileError(f"{path}: {_PROBLEMS.get(str(error), error)}")
        if not isinstance(reply.content.get("size"), int) or len(reply.buffers) != 1:
            raise FileError(f"{path}: the session gave an answer of a wrong form")
        return reply
