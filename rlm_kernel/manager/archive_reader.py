"""A tar archive that comes in pieces, unpacked into a folder of a session."""

from __future__ import annotations

import tarfile

from rlm_kernel.errors import BadRequest
from rlm_kernel.manager.session_files import IncomingFile, SessionFiles
from rlm_kernel.sandbox.file_answers import shown

PATH_MAX = 4096
NAMES_MAX = 1 << 16
"""Bytes of what an archive says of one member beside its header: a path, and where a link leads."""

_NAMES = {tarfile.GNUTYPE_LONGNAME: "path", tarfile.GNUTYPE_LONGLINK: "linkpath"}
_FILES = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)


class ArchiveReader:
    """Unpacks what it is fed; what was unpacked before an error stays.

    Files, folders and symbolic links; no member leaves the folder, by its path or through a link of
    the archive. Modes, owners and times are not kept. `feed` and `finish` raise BadRequest for what
    is no such archive, and FileError.
    """

    def __init__(self, files: SessionFiles, folder: str) -> None:
        self._files = files
        self._folder = folder
        self._pending = bytearray()
        self._left = self._padding = 0
        self._file: IncomingFile | None = None
        self._names: bytearray | None = None
        self._kind = b""
        self._said: dict[str, str] = {}
        self._links: set[str] = set()
        self._ended = False

    async def feed(self, data: bytes) -> None:
        """Unpacks what these bytes complete."""
        if not self._ended:
            self._pending += data
        while not self._ended and await self._advance():
            continue

    async def finish(self) -> None:
        """Sees to it that the archive is whole; one without members makes an empty folder."""
        if not self._ended:
            raise BadRequest("the archive breaks off before its end")
        await self._files.make_folder(self._folder)

    async def abandon(self) -> None:
        """Leaves nothing of a file that did not come to its end. Idempotent."""
        file, self._file = self._file, None
        if file is not None:
            await file.abandon()

    async def _advance(self) -> bool:
        """Does what can be done with what is there; whether that was anything."""
        if self._left or self._padding:
            return bool(self._pending) and await self._consume()
        if len(self._pending) < tarfile.BLOCKSIZE:
            return False
        await self._begin(bytes(self._take(tarfile.BLOCKSIZE)))
        return True

    async def _consume(self) -> bool:
        if not self._left:
            self._padding -= len(self._take(self._padding))
            return True
        data = self._take(self._left)
        self._left -= len(data)
        if self._file is not None:
            await self._file.write(bytes(data))
        elif self._names is not None:
            self._names += data
        if not self._left:
            await self._end()
        return True

    def _take(self, count: int) -> bytearray:
        data = self._pending[:count]
        del self._pending[:count]
        return data

    async def _begin(self, block: bytes) -> None:
        try:
            member = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            self._ended = True
            self._pending.clear()
            return
        except tarfile.HeaderError as error:
            raise BadRequest(f"this is no tar archive: {error}") from error
        self._kind = member.type
        is_about_another = member.type in (tarfile.XHDTYPE, tarfile.XGLTYPE, *_NAMES)
        size = member.size if is_about_another else self._size(member)
        if size < 0:
            raise BadRequest("a size in the archive is none")
        self._left, self._padding = size, -size % tarfile.BLOCKSIZE
        if not is_about_another:
            await self._unpack(member)
        elif member.type != tarfile.XGLTYPE:
            if size > NAMES_MAX:
                raise BadRequest("a name in the archive is too long")
            self._names = bytearray()
        if not size:
            await self._end()

    def _size(self, member: tarfile.TarInfo) -> int:
        said = self._said.get("size", "")
        if said and not (said.isascii() and said.isdigit() and len(said) < 16):
            raise BadRequest("a size in the archive is none")
        return int(said) if said else member.size

    async def _unpack(self, member: tarfile.TarInfo) -> None:
        said, self._said = self._said, {}
        name = self._safe(said.get("path", member.name))
        if any(key.startswith("GNU.sparse") for key in said):
            raise BadRequest(f"{shown(name)}: sparse files are not unpacked")
        path = self._folder + name
        if member.type == tarfile.DIRTYPE:
            await self._files.make_folder(path)
        elif not name:
            raise BadRequest("a member of the archive has no name")
        elif member.type == tarfile.SYMTYPE:
            await self._files.make_link(path, said.get("linkpath", member.linkname))
            self._links.add(name)
        elif member.type in _FILES:
            self._links.discard(name)
            self._file = self._files.upload(path)
        else:
            raise BadRequest(f"{shown(name)}: only files, folders and symbolic links are unpacked")

    def _safe(self, name: str) -> str:
        if len(name) > PATH_MAX:
            raise BadRequest("a path in the archive is too long")
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if name.startswith("/") or ".." in parts:
            raise BadRequest(f"{shown(name)}: leads out of the folder")
        for end in range(1, len(parts) if self._links else 0):
            if "/".join(parts[:end]) in self._links:
                raise BadRequest(f"{shown(name)}: leads through a link of the archive")
        return "/".join(parts)

    async def _end(self) -> None:
        """All of a member is there."""
        if self._names is not None:
            self._said |= self._read_names(bytes(self._names))
            self._names = None
        if self._file is not None:
            await self._file.finish()
            self._file = None

    def _read_names(self, data: bytes) -> dict[str, str]:
        if self._kind in _NAMES:
            return {_NAMES[self._kind]: _text(data.partition(b"\0")[0])}
        found = {}
        while data:
            length, _, _ = data.partition(b" ")
            if not (length.isdigit() and len(length) < 6 and 0 < int(length) <= len(data)):
                raise BadRequest("the archive has an extended header that cannot be read")
            key, _, value = data[len(length) + 1 : int(length) - 1].partition(b"=")
            found[_text(key)] = _text(value)
            data = data[int(length) :]
        return found


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
