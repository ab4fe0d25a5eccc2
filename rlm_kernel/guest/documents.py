"""Files of the session that look like a dict: path -> content."""

from __future__ import annotations

import difflib
import io
import os
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from typing import IO, Self

_SHOWN = 10


class Documents(Mapping[str, "str | bytes"]):
    """The files below the folder `root`, each of which is read when it is asked for.

    Keys are paths below it, in order. A value is a file's text, or its bytes where these are not
    UTF-8. Nothing is kept in memory.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._sizes = dict(sorted(_found(root)))

    @classmethod
    def of_archive(cls, data: bytes) -> Self:
        """The files of a tar archive, in a folder of their own."""
        folder = tempfile.mkdtemp(prefix="documents-")
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            archive.extractall(folder, filter="data")
        return cls(folder)

    def __getitem__(self, path: str) -> str | bytes:
        with open(self.path(path), "rb") as file:
            data = file.read()
        try:
            return data.decode()
        except UnicodeDecodeError:
            return data

    def __iter__(self) -> Iterator[str]:
        return iter(self._sizes)

    def __len__(self) -> int:
        return len(self._sizes)

    def __contains__(self, path: object) -> bool:
        return path in self._sizes

    def size(self, path: str) -> int:
        """A file's bytes."""
        self.path(path)
        return self._sizes[path]

    def open(self, path: str) -> IO[str]:
        """A file as text, to be read line by line; what is not UTF-8 becomes `\\ufffd`."""
        return open(self.path(path), encoding="utf-8", errors="replace")

    def path(self, path: str) -> str:
        """Where a file lies in the session, for `open`. Raises KeyError that names similar ones."""
        if path not in self._sizes:
            similar = difflib.get_close_matches(str(path), self._sizes, n=3, cutoff=0.5)
            hint = f"; similar: {', '.join(map(repr, similar))}" if similar else ""
            raise KeyError(f"there is no file {path!r}{hint}")
        return os.path.join(self._root, path)

    def __repr__(self) -> str:
        listed = "".join(f"\n  {path!r}: {size:,} bytes" for path, size in self._first())
        more = f"\n  and {len(self) - _SHOWN:,} more" if len(self) > _SHOWN else ""
        return f"{len(self):,} files, {sum(self._sizes.values()):,} bytes{listed}{more}"

    def _first(self) -> list[tuple[str, int]]:
        return list(self._sizes.items())[:_SHOWN]


def _found(root: str) -> Iterator[tuple[str, int]]:
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            yield os.path.relpath(path, root), os.path.getsize(path)
