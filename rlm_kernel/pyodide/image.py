"""The guest's read-only files as one mapped file per layer.

A layer is a header, an index (JSON: path -> offset and size) and the files end to end. It is
opened by mapping, so that every process on the machine shares its pages.
"""

from __future__ import annotations

import json
import mmap
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from rlm_kernel.cache import open_private, replacing

MAGIC = b"rlmimg1\n"
HEADER = struct.Struct("<8sII")
"""Magic, CRC-32 of all that follows, length of the index."""


class Image(Mapping[str, memoryview]):
    """Read-only files by absolute guest path; there are no entries for directories.

    Later layers hide the files of earlier ones. What is taken from an image stays valid for as
    long as it is referred to, however the cache changes.
    """

    def __init__(self, *layers: Mapping[str, memoryview]) -> None:
        self._files: dict[str, memoryview] = {}
        for layer in layers:
            self._files.update(layer)

    def __getitem__(self, path: str) -> memoryview:
        return self._files[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def write_layer(path: Path, files: Mapping[str, bytes]) -> None:
    """Write a layer that appears under its name whole or not at all. Call under its lock."""
    index: dict[str, tuple[int, int]] = {}
    offset = 0
    for name, content in files.items():
        index[name] = (offset, len(content))
        offset += len(content)
    listing = json.dumps(index).encode()
    checksum = zlib.crc32(listing)
    for content in files.values():
        checksum = zlib.crc32(content, checksum)
    with replacing(path) as file:
        file.write(HEADER.pack(MAGIC, checksum, len(listing)))
        file.write(listing)
        file.writelines(files.values())


def open_layer(path: Path) -> dict[str, memoryview] | None:
    """Map a layer; None if it is missing or damaged. Raises CacheError if others can write it."""
    try:
        with open_private(path) as file:
            if file.seek(0, 2) < HEADER.size:
                return None
            view = memoryview(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ))
    except FileNotFoundError:
        return None
    magic, checksum, length = HEADER.unpack_from(view)
    body = view[HEADER.size :]
    if magic != MAGIC or zlib.crc32(body) != checksum:
        return None
    index: dict[str, tuple[int, int]] = json.loads(bytes(body[:length]))
    content = body[length:]
    return {name: content[start : start + size] for name, (start, size) in index.items()}
