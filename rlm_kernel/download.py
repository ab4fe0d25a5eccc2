"""Pinned files: bytes known by size and SHA-256, whichever source they come from.

A file under its own name in the cache is whole and was verified. What has arrived of an unfinished
one is in `<name>.partial` beside it; the next attempt goes on from there.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from rlm_kernel.cache import locked
from rlm_kernel.errors import FetchError, IntegrityError
from rlm_kernel.progress import Advance, Progress

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class PinnedFile:
    """A file that is accepted with exactly this content only. `size` is in bytes."""

    name: str
    size: int
    sha256: str

    def has_size(self, path: Path) -> bool:
        """Whether a file of this size is at `path`."""
        return path.is_file() and path.stat().st_size == self.size

    def is_at(self, path: Path) -> bool:
        """Whether a file of this size and hash is at `path`; reads all of it."""
        if not self.has_size(path):
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == self.sha256


class Source(Protocol):
    """A way to get pinned files."""

    @property
    def name(self) -> str:
        """What an error message calls it."""

    def deliver(self, files: Sequence[PinnedFile], directory: Path, progress: Progress) -> None:
        """Put each of `files`, verified, into `directory`. Raises FetchError.

        Called with the files locked against others.
        """


class Partial:
    """The first bytes of a pinned file, which become the file once all are there."""

    def __init__(self, pinned: PinnedFile, directory: Path) -> None:
        self.pinned = pinned
        self.path = directory / f"{pinned.name}.partial"
        self._target = directory / pinned.name

    @property
    def size(self) -> int:
        """How many bytes are there."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def keep(self, size: int) -> None:
        """Drop what comes after the first `size` bytes."""
        if size < self.size:
            os.truncate(self.path, size)

    def append(self, chunks: IO[bytes], advance: Advance) -> None:
        """Take all of a stream. Raises IntegrityError where that is more than is pinned."""
        while chunk := chunks.read(CHUNK_BYTES):
            self.write(chunk)
            advance(len(chunk))

    def write(self, chunk: bytes) -> None:
        """Add bytes at the end. Raises IntegrityError where that is more than is pinned."""
        if self.size + len(chunk) > self.pinned.size:
            self.path.unlink(missing_ok=True)
            raise IntegrityError(f"{self.pinned.name} is longer than {self.pinned.size} bytes")
        with self.path.open("ab") as file:
            file.write(chunk)

    def complete(self, append_missing: Callable[[], None]) -> None:
        """Have what is missing appended, verify the whole and give it its name.

        Bytes left by an earlier attempt are given up if the whole is bad, and all is fetched again.
        Raises IntegrityError if it is bad all the same.
        """
        resumed = self.size > 0
        try:
            append_missing()
            self._finish()
        except IntegrityError:
            if not resumed:
                raise
            append_missing()
            self._finish()

    def _finish(self) -> None:
        if not self.pinned.is_at(self.path):
            size = self.size
            self.path.unlink(missing_ok=True)
            what = "SHA-256" if size == self.pinned.size else f"size ({size} bytes)"
            raise IntegrityError(f"{self.pinned.name} has another {what} than is pinned")
        self.path.replace(self._target)


def store(stream: IO[bytes], pinned: PinnedFile, directory: Path, progress: Progress) -> None:
    """Put what a stream holds under the file's name, if it is the pinned content.

    Raises IntegrityError if it is not.
    """
    partial = Partial(pinned, directory)
    partial.keep(0)
    with progress.step(pinned.name, pinned.size) as advance:
        partial.complete(lambda: partial.append(stream, advance))


def obtain(
    files: Sequence[PinnedFile], directory: Path, sources: Iterable[Source], progress: Progress
) -> tuple[Path, ...]:
    """The verified files in `directory`, each from the first source that has it.

    `sources` is looked at only if a file is missing. Where two processes want the same at once,
    one fetches and the other waits. Raises FetchError that tells what failed at each source.
    """
    if _missing(files, directory):
        with locked(directory / files[0].name, progress):
            _fetch(files, directory, sources, progress)
    return tuple(directory / pinned.name for pinned in files)


def _missing(files: Sequence[PinnedFile], directory: Path) -> list[PinnedFile]:
    return [pinned for pinned in files if not pinned.is_at(directory / pinned.name)]


def _fetch(
    files: Sequence[PinnedFile], directory: Path, sources: Iterable[Source], progress: Progress
) -> None:
    failures: list[str] = []
    for source in sources:
        missing = _missing(files, directory)
        if not missing:
            return
        progress.say(f"fetching {', '.join(pinned.name for pinned in missing)} from {source.name}")
        try:
            source.deliver(missing, directory, progress)
        except FetchError as error:
            progress.say(f"  no: {error}")
            failures.append(f"  {source.name}: {error}")
    missing = _missing(files, directory)
    if missing:
        names = ", ".join(pinned.name for pinned in missing)
        raise FetchError("\n".join([f"no source delivered {names}:", *failures]))
