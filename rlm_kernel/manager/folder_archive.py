"""A folder of a session as a tar archive, made while it is sent."""

from __future__ import annotations

import tarfile
from collections import deque
from collections.abc import AsyncIterator

from rlm_kernel.errors import FileError, FileMissing
from rlm_kernel.manager.session_files import SessionFiles
from rlm_kernel.sandbox import FileEntry, FilePage

MEDIA_TYPE = "application/x-tar"
PIECE_BYTES = 1 << 20
END = bytes(2 * tarfile.BLOCKSIZE)

_TYPES = {"file": tarfile.REGTYPE, "directory": tarfile.DIRTYPE, "link": tarfile.SYMTYPE}


class _Folder:
    """A folder that is being archived: what is left of its listing."""

    def __init__(self, name: str, page: FilePage) -> None:
        self.name = name
        self.turn(page)

    def turn(self, page: FilePage) -> None:
        self.entries, self.cursor = deque(page.entries), page.cursor


async def folder_archive(files: SessionFiles, folder: str, first: FilePage) -> AsyncIterator[bytes]:
    """The bytes of an archive of all that is in a folder, whose listing begins with `first`.

    Names in it are relative to the folder. Links stay links, and devices are left out. Each file is
    as it is when it comes to its turn. Raises FileError when one changes while it is read.
    """
    base = folder if folder == "" or folder.endswith("/") else f"{folder}/"
    open_folders = [_Folder("", first)]
    while open_folders:
        current = open_folders[-1]
        if not current.entries and not current.cursor:
            open_folders.pop()
        elif not current.entries:
            current.turn(await files.list(base + current.name, current.cursor))
        else:
            entry = current.entries.popleft()
            name = current.name + entry.name
            if entry.kind == "file":
                async for data in _file(files, base, name, entry):
                    yield data
            elif entry.kind in _TYPES:
                yield _header(name, entry, 0)
            if entry.kind == "directory" and (page := await _opened(files, f"{base}{name}/")):
                open_folders.append(_Folder(f"{name}/", page))
    yield END


async def _opened(files: SessionFiles, path: str) -> FilePage | None:
    try:
        return await files.list(path)
    except FileMissing:  # meanwhile
        return None


async def _file(
    files: SessionFiles, base: str, name: str, entry: FileEntry
) -> AsyncIterator[bytes]:
    path = base + name
    try:
        piece = await files.read(path, 0, PIECE_BYTES)
    except FileMissing:  # meanwhile
        return
    size, version, sent = piece.size, piece.version, 0
    yield _header(name, entry, size)
    while sent < size:
        if piece.version != version or not piece.data:
            raise FileError(f"{path}: changed while it was read")
        yield piece.data
        sent += len(piece.data)
        if sent < size:
            piece = await files.read(path, sent, min(PIECE_BYTES, size - sent))
    yield bytes(-size % tarfile.BLOCKSIZE)


def _header(name: str, entry: FileEntry, size: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.type = _TYPES[entry.kind]
    member.size = size
    member.mode = entry.permissions
    member.mtime = entry.modified_ns // 1_000_000_000
    member.linkname = entry.target
    return member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
