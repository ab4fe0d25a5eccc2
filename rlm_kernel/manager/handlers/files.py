"""Bytes into the session's own file system, and out of it."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol
from urllib.parse import quote_from_bytes

from tornado.httputil import format_timestamp
from tornado.iostream import StreamClosedError

from rlm_kernel import errors, sandbox
from rlm_kernel.errors import BadRequest, FileError, RLMKernelError
from rlm_kernel.http.handler import Reception
from rlm_kernel.http.negotiation import accepts
from rlm_kernel.http.operation import (
    BYTES,
    JSON,
    NOTHING,
    Operation,
    Parameter,
    by_method,
)
from rlm_kernel.manager import folder_archive
from rlm_kernel.manager.archive_reader import ArchiveReader
from rlm_kernel.manager.handlers.base import IN_TURN, Handler
from rlm_kernel.manager.handlers.byte_range import parse_range
from rlm_kernel.manager.session_files import IncomingFile, SessionFiles
from rlm_kernel.manager.wire import FileEntry, FileList, moment
from rlm_kernel.sandbox import FilePage, FilePiece
from rlm_kernel.sandbox.file_answers import CURSOR_MAX, shown

PIECE_BYTES = 1 << 20

IN_FILES = (*IN_TURN, errors.FileMissing, errors.FileError)
AS_ARCHIVE = Parameter("Accept", "header", f"`{folder_archive.MEDIA_TYPE}` for an archive")
TAR = Parameter("tar", "query", "with any value: an archive")
AFTER = Parameter("after", "query", "`next` of the answer before", {"type": "integer"})
RANGE = Parameter("Range", "header", "one range of bytes")
IF_RANGE = Parameter("If-Range", "header", "the ETag of the file that the range is of")
LIST = Operation(
    "list_folder",
    "What is in a folder, or the folder as an archive",
    {200: {JSON: FileList, folder_archive.MEDIA_TYPE: None}},
    IN_FILES,
    parameters=(AS_ARCHIVE, TAR, AFTER),
)

_log = logging.getLogger(__name__)
_endings: set[asyncio.Future[None]] = set()
"""Kept until they are done: the loop itself would forget them."""


class Incoming(Protocol):
    """What is on its way into the session."""

    async def abandon(self) -> None: ...


class FilesHandler(Handler):
    """Base of what answers below `/session/{id}/files`.

    A path is relative to where the session's code runs; one that begins with a slash is absolute.
    Bytes of it that are no UTF-8 are those of the name of a file.
    """

    def initialize(self, services: Reception) -> None:
        super().initialize(services)
        self.incoming: Incoming | None = None

    @property
    def max_body_bytes(self) -> int:
        return self.services.max_file_bytes

    def on_finish(self) -> None:
        super().on_finish()
        self._abandon()

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self._abandon()

    def _abandon(self) -> None:
        """Has nothing left of what did not come to its end."""
        incoming, self.incoming = self.incoming, None
        if incoming is not None:
            ending = asyncio.ensure_future(incoming.abandon())
            _endings.add(ending)
            ending.add_done_callback(_endings.discard)

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        return value.decode("utf-8", "surrogateescape")

    def check(self) -> None:
        super().check()
        self.files: SessionFiles = self.services.manager.get(self.path_args[0]).files

    @property
    def wants_archive(self) -> bool:
        named = accepts(self.request.headers.get("Accept", ""), folder_archive.MEDIA_TYPE)
        return named or "tar" in self.request.query_arguments

    async def head(self, session_id: str, path: str = "") -> None:
        await self.get(session_id, path)

    async def get(self, session_id: str, path: str = "") -> None:
        raise NotImplementedError

    async def remove(self, path: str) -> None:
        """Removes what is at a path, and answers."""
        await self.files.in_turn(partial(self.files.remove, path))
        self.answer_nothing()

    async def send_archive(self, folder: str) -> None:
        """Answers with the folder as a tar archive."""
        first = await self.files.in_turn(partial(self.files.list, folder))
        self.set_header("Content-Type", folder_archive.MEDIA_TYPE)
        await self.send_all(folder_archive.folder_archive(self.files, folder, first))

    async def send_all(self, pieces: AsyncIterator[bytes]) -> None:
        """Sends what comes. Where something is missing the client finds the answer cut short."""
        if self.request.method == "HEAD":
            await self.finish()
            return
        try:
            async for data in pieces:
                await self.send(data)
            await self.finish()
        except StreamClosedError:
            return
        except RLMKernelError as error:
            _log.warning("an answer was cut short", extra={"reason": str(error)})
            self.hang_up()


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file as it was when reading began, and the part of it that is wanted."""

    whole: FilePiece
    part: range
    is_partial: bool
    beginning: bytes


class OneFile(FilesHandler):
    """`/session/{id}/files/{path}`. A file whose body breaks off half-way never comes to be."""

    operations = by_method(
        GET=Operation(
            "read_file",
            "A file, or a folder as an archive",
            {200: {BYTES: None, folder_archive.MEDIA_TYPE: None}, 206: {BYTES: None}},
            (*IN_FILES, errors.RangeNotSatisfiable),
            parameters=(AS_ARCHIVE, TAR, RANGE, IF_RANGE),
        ),
        HEAD=Operation(
            "file_head",
            "What a GET would say of a file before the file",
            {200: {BYTES: None, folder_archive.MEDIA_TYPE: None}},
            IN_FILES,
            parameters=(AS_ARCHIVE, TAR),
        ),
        PUT=Operation(
            "write_file",
            "A file in place of what was there, its folders made: whole, or not at all",
            NOTHING,
            IN_FILES,
            body={BYTES: None},
        ),
        DELETE=Operation(
            "delete_file",
            "Remove a file, a link, or a folder with all that is in it",
            NOTHING,
            IN_FILES,
        ),
    )

    def initialize(self, services: Reception) -> None:
        super().initialize(services)
        self._upload: IncomingFile | None = None

    def check(self) -> None:
        super().check()
        if self.request.method == "PUT":
            if "tar" in self.request.query_arguments:
                raise BadRequest("to have an archive unpacked, end the path with a slash")
            self._upload = self.incoming = self.files.upload(self.path_args[1])

    async def take(self, chunk: bytes) -> None:
        if self._upload is not None:
            await self._upload.write(chunk)

    async def put(self, _session_id: str, _path: str) -> None:
        assert self._upload is not None
        await self.files.in_turn(self._upload.finish)
        self.answer_nothing()

    async def delete(self, _session_id: str, path: str) -> None:
        await self.remove(path)

    async def get(self, _session_id: str, path: str = "") -> None:
        if self.wants_archive:
            await self.send_archive(path)
            return
        file = await self.files.in_turn(partial(self._open, path))
        self._describe(file)
        await self.send_all(self._pieces(path, file))

    async def _open(self, path: str) -> OpenFile:
        wanted = parse_range(self.request.headers.get("Range"))
        whole = await self.files.read(path, 0, 0)
        condition = self.request.headers.get("If-Range")
        if wanted is None or self.request.method == "HEAD" or condition not in (None, _tag(whole)):
            part, is_partial = range(whole.size), False
        else:
            part, is_partial = wanted.within(whole.size), True
        beginning = b""
        if part and self.request.method != "HEAD":
            beginning = await self._read(path, whole, part)
        return OpenFile(whole, part, is_partial, beginning)

    def _describe(self, file: OpenFile) -> None:
        whole, part = file.whole, file.part
        self.set_header("Content-Type", "application/octet-stream")
        self.set_header("Accept-Ranges", "bytes")
        self.set_header("ETag", _tag(whole))
        self.set_header("Last-Modified", format_timestamp(moment(whole.modified_ns)))
        self.set_header("Content-Length", str(len(part)))
        if file.is_partial:
            self.set_status(206)
            self.set_header("Content-Range", f"bytes {part[0]}-{part[-1]}/{whole.size}")

    async def _pieces(self, path: str, file: OpenFile) -> AsyncIterator[bytes]:
        data, left = file.beginning, file.part
        while left:
            yield data
            left = left[len(data) :]
            if left:
                data = await self._read(path, file.whole, left)

    async def _read(self, path: str, whole: FilePiece, part: range) -> bytes:
        piece = await self.files.read(path, part.start, min(PIECE_BYTES, len(part)))
        if piece.version != whole.version or not piece.data:
            raise FileError("the file changed while it was read")
        return piece.data


class Home(FilesHandler):
    """`/session/{id}/files`: the folder where the session's code runs."""

    operations = by_method(
        GET=replace(LIST, name="list_home", summary="What is where the code runs"),
        HEAD=replace(LIST, name="home_head", summary="What a GET would say before that"),
    )

    async def get(self, _session_id: str, path: str = "") -> None:
        if self.wants_archive:
            await self.send_archive(path)
            return
        page = await self.files.in_turn(partial(self.files.list, path, self._cursor()))
        self.answer(_listing(page))

    def _cursor(self) -> int:
        text = self.get_query_argument("after", "0")
        if not re.fullmatch("[0-9]{1,16}", text) or int(text) > CURSOR_MAX:
            raise BadRequest("after: what an answer before had as `next`")
        return int(text)


class Folder(Home):
    """`/session/{id}/files/{path}/`: any other folder."""

    operations = by_method(
        GET=LIST,
        HEAD=replace(LIST, name="folder_head", summary="What a GET would say before the entries"),
        PUT=Operation(
            "write_folder",
            "Unpack an archive into a folder, made where it is not there; what is there stays",
            NOTHING,
            IN_FILES,
            body={folder_archive.MEDIA_TYPE: None},
            parameters=(Parameter("tar", "query", "with any value: whatever the content type"),),
        ),
        DELETE=Operation(
            "delete_folder",
            "Remove a folder with all that is in it, unless relative paths start there",
            NOTHING,
            IN_FILES,
        ),
    )

    def initialize(self, services: Reception) -> None:
        super().initialize(services)
        self._archive: ArchiveReader | None = None

    def check(self) -> None:
        super().check()
        if self.request.method == "PUT":
            if not self.brings_archive:
                raise BadRequest("what is put into a folder is a tar archive: say so by ?tar")
            self._archive = self.incoming = ArchiveReader(self.files, self.path_args[1])

    @property
    def brings_archive(self) -> bool:
        media, _, _ = self.request.headers.get("Content-Type", "").partition(";")
        named = media.strip().lower() == folder_archive.MEDIA_TYPE
        return named or "tar" in self.request.query_arguments

    async def take(self, chunk: bytes) -> None:
        if self._archive is not None:
            await self._archive.feed(chunk)

    async def put(self, _session_id: str, _path: str) -> None:
        assert self._archive is not None
        await self.files.in_turn(self._archive.finish)
        self.answer_nothing()

    async def delete(self, _session_id: str, path: str) -> None:
        await self.remove(path)


def _listing(page: FilePage) -> FileList:
    return FileList(entries=[_entry(each) for each in page.entries], next=page.cursor or None)


def _entry(entry: sandbox.FileEntry) -> FileEntry:
    return FileEntry(
        name=shown(entry.name),
        quoted=quote_from_bytes(entry.name.encode("utf-8", "surrogateescape"), safe=""),
        type=entry.kind,
        size=entry.size,
        mode=entry.permissions,
        modified=moment(entry.modified_ns),
        target=shown(entry.target) if entry.kind == "link" else None,
    )


def _tag(whole: FilePiece) -> str:
    return f'"{whole.version}"'
