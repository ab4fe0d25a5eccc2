"""The C structures in which the guest receives what the host knows of a file."""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct

from rlm_kernel.emscripten.descriptors import O_APPEND, OpenFile
from rlm_kernel.emscripten.filesystem import NAME_MAX
from rlm_kernel.emscripten.nodes import (
    Device,
    Directory,
    Fifo,
    Node,
    RegularFile,
    Symlink,
)
from rlm_kernel.emscripten.quota import Quota

DEVICE_NUMBER = 1
BLOCK_BYTES = 4096

_STAT = Struct("<IIIIII q ii qi4x qi4x qi4x Q")
"""`struct stat` of wasm32 Emscripten, 96 bytes; source: musl's `arch/emscripten/bits/stat.h`."""

_STATFS = Struct("<II 5Q 2I 2I I 20x")
"""`struct statfs`, 88 bytes; source: musl's `arch/emscripten/bits/statfs.h`."""

_FDSTAT = Struct("<BxHxxxxQQ")
"""`__wasi_fdstat_t`, 24 bytes; source: WASI snapshot preview 1."""

_DIRENT = Struct("<QqHB261s")
DIRENT_BYTES = _DIRENT.size
"""sizeof(struct dirent); source: musl's `arch/emscripten/bits/dirent.h`."""

_FILETYPES = {Fifo: 0, Device: 2, Directory: 3, RegularFile: 4, Symlink: 7}
"""`__wasi_filetype_t`; source: WASI snapshot preview 1."""

_FDFLAGS_APPEND = 1
ALL_RIGHTS = (1 << 64) - 1


def pack_stat(node: Node) -> bytes:
    """`struct stat` of a node."""
    times = [divmod(t, 1_000_000_000) for t in (node.accessed, node.modified, node.changed)]
    return _STAT.pack(
        DEVICE_NUMBER,
        node.mode,
        node.links,
        node.uid,
        node.gid,
        DEVICE_NUMBER if isinstance(node, Device) else 0,
        node.size,
        BLOCK_BYTES,
        -(-node.size // 512) & 0x7FFFFFFF,
        *(part for time in times for part in time),
        node.number,
    )


def pack_statfs(quota: Quota) -> bytes:
    """`struct statfs` of the one file system."""
    blocks, free = quota.limit // BLOCK_BYTES, quota.left // BLOCK_BYTES
    nodes, free_nodes = quota.files, quota.files_left
    counts = (blocks, free, free, nodes, free_nodes)
    return _STATFS.pack(0, BLOCK_BYTES, *counts, 0, 0, NAME_MAX, BLOCK_BYTES, 0)


def pack_fdstat(file: OpenFile) -> bytes:
    """`__wasi_fdstat_t` of an open file."""
    flags = _FDFLAGS_APPEND if file.flags & O_APPEND else 0
    return _FDSTAT.pack(_FILETYPES[type(file.node)], flags, ALL_RIGHTS, ALL_RIGHTS)


def pack_dirents(listed: Iterable[tuple[int, str, Node]]) -> bytes:
    """Records of getdents64(2) of cookies, which say where reading goes on, names and nodes."""
    pack = _DIRENT.pack
    records = [
        pack(
            node.number,
            cookie,
            DIRENT_BYTES,
            node.kind >> 12,
            name.encode(errors="surrogateescape"),
        )
        for cookie, name, node in listed
    ]
    return b"".join(records)
