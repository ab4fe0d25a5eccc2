"""Files and folders as one context: found, checked, and sent as a tar archive while it is made."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

from rlm_kernel.errors import ConfigurationError

PIECE_BYTES = 1 << 20
_END = bytes(2 * tarfile.BLOCKSIZE)
_LEFT_OUT = "__pycache__"
_LISTED = 20


@dataclass(frozen=True, slots=True)
class Document:
    """A file: `name` is its path below the context, with slashes."""

    name: str
    path: Path
    size: int


@dataclass(frozen=True, slots=True)
class Documents:
    """Files that go into a session together, in the order of their names."""

    files: tuple[Document, ...]

    @classmethod
    def of(cls, paths: Sequence[Path]) -> Self:
        """Files, and all files in folders.

        A name is the path below the one folder that is given, or below the folder that all of
        several have in common. Of what is in a folder, names that start with a dot,
        `__pycache__`, links, and what is no regular file are left out; what is given by its own
        name never is. Raises ConfigurationError for what cannot be read, and for no files at all.
        """
        found = {file.name: file for file in _found(paths)}
        if not found:
            raise ConfigurationError(f"there are no files in {', '.join(map(str, paths))}")
        return cls(tuple(found[name] for name in sorted(found)))

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)

    @property
    def note(self) -> str:
        """How many there are, how large, and the first names."""
        listed = ", ".join(f"{file.name!r} ({file.size:,})" for file in self.files[:_LISTED])
        more = f", and {len(self.files) - _LISTED:,} more" if len(self.files) > _LISTED else ""
        return f"{_counted(len(self.files))}, {self.size:,} bytes in all: {listed}{more}"

    def archive(self) -> Iterator[bytes]:
        """The tar archive, piece by piece. Raises ConfigurationError for a file that is gone."""
        for file in self.files:
            info = tarfile.TarInfo(file.name)
            info.size = file.size
            yield info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
            yield from _contents(file)
            yield bytes(-file.size % tarfile.BLOCKSIZE)
        yield _END


def is_folder(path: Path) -> bool:
    """Whether it is one; false where that cannot be told, which `opened` then explains."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def opened(path: Path) -> BinaryIO:
    """A regular file, for reading. Raises ConfigurationError with its name."""
    try:
        if not path.is_file():
            path.stat()
            raise ConfigurationError(f"cannot read {path}: it is neither a file nor a folder")
        return path.open("rb")
    except (OSError, ValueError) as error:  # ValueError: a name that holds a null character
        raise ConfigurationError(f"cannot read {path}: {_reason(error)}") from error


def _found(paths: Sequence[Path]) -> Iterator[Document]:
    # Not `resolve`: what a link leads to has another name.
    absolute = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100
    base = _base(absolute)
    for path in absolute:
        for each in _files_in(path) if is_folder(path) else (path,):
            with opened(each) as file:
                size = os.fstat(file.fileno()).st_size
            yield Document(each.relative_to(base).as_posix(), each, size)


def _base(paths: Sequence[Path]) -> Path:
    """The folder that the names start from; where a folder is given it is part of the names."""
    if len(paths) == 1 and is_folder(paths[0]):
        return paths[0]
    return Path(os.path.commonpath([path.parent for path in paths]))


def _files_in(folder: Path) -> Iterator[Path]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise ConfigurationError(f"cannot read {folder}: {_reason(error)}") from error
    for entry in entries:
        if entry.name.startswith(".") or entry.name == _LEFT_OUT:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _files_in(Path(entry.path))
        elif entry.is_file(follow_symlinks=False):
            yield Path(entry.path)


def _contents(document: Document) -> Iterator[bytes]:
    """Exactly as many bytes as its header says, whatever happens to the file meanwhile."""
    left = document.size
    with opened(document.path) as file:
        while left and (data := file.read(min(left, PIECE_BYTES))):
            left -= len(data)
            yield data
    if left:
        raise ConfigurationError(f"cannot read {document.path}: it became shorter meanwhile")


def _counted(files: int) -> str:
    return "1 file" if files == 1 else f"{files:,} files"


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
