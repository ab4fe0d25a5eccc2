"""What a session's process says of its files: not believed before its form has been checked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

FILE_MAX = 1 << 32
"""No file of a session is larger; a process that says so is not believed."""

NAME_MAX, TARGET_MAX = 255, 4096
CURSOR_MAX = 1 << 53
_TIME_MAX = 1 << 63
_VERSION = re.compile(r"[0-9a-f-]{1,64}")

FileKind = Literal["file", "directory", "link", "other"]


@dataclass(frozen=True, slots=True)
class FilePiece:
    """Some bytes of a file. `version` is another one when the file has changed."""

    size: int
    version: str
    modified_ns: int
    data: bytes


@dataclass(frozen=True, slots=True)
class FileEntry:
    """What a folder holds under one name; names are decoded as `os.fsdecode` does.

    A link is not followed: its size is its own, and it alone has a `target`.
    """

    name: str
    kind: FileKind
    size: int
    permissions: int
    modified_ns: int
    target: str


@dataclass(frozen=True, slots=True)
class FilePage:
    """Some entries of a folder, and where to go on; 0 where there are no more."""

    entries: tuple[FileEntry, ...]
    cursor: int


def file_piece(content: dict[str, Any], buffers: Sequence[bytes], asked: int) -> FilePiece | None:
    """The answer to a request for at most `asked` bytes; nothing where it is none."""
    size, version, modified = (content.get(name) for name in ("size", "version", "modified"))
    if not (_is_count(size, FILE_MAX) and _is_count(modified, _TIME_MAX)):
        return None
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        return None
    if len(buffers) != 1 or len(buffers[0]) > asked:
        return None
    return FilePiece(cast(int, size), version, cast(int, modified), bytes(buffers[0]))


def file_page(content: dict[str, Any], asked: int) -> FilePage | None:
    """The answer to a request for at most `asked` entries; nothing where it is none."""
    entries, cursor = content.get("entries"), content.get("next")
    if not isinstance(entries, list) or len(entries) > asked or not _is_count(cursor, CURSOR_MAX):
        return None
    page = [_entry(entry) for entry in entries]
    if None in page:
        return None
    return FilePage(cast("tuple[FileEntry, ...]", tuple(page)), cast(int, cursor))


def _entry(values: object) -> FileEntry | None:
    if not isinstance(values, list) or len(values) != 6:
        return None
    name, kind, size, permissions, modified, target = values
    fits = (
        _is_name(name)
        and kind in get_args(FileKind)
        and _is_count(size, FILE_MAX)
        and _is_count(permissions, 0o7777)
        and _is_count(modified, _TIME_MAX)
        and _is_text(target, TARGET_MAX)
    )
    return FileEntry(*values) if fits else None


def _is_name(value: object) -> bool:
    return _is_text(value, NAME_MAX) and "/" not in str(value) and value not in ("", ".", "..")


def _is_text(value: object, limit: int) -> bool:
    """Whether this is text that stands for at most so many bytes, none of which is 0."""
    if not isinstance(value, str) or len(value) > limit or "\0" in value:
        return False
    try:
        return len(value.encode("utf-8", "surrogateescape")) <= limit
    except UnicodeEncodeError:
        return False


def _is_count(value: object, limit: int) -> bool:
    return type(value) is int and 0 <= value <= limit


def shown(path: str) -> str:
    """A path or a name as it can be told: some of its bytes may be no text."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
