"""What a zygote does to its memory before the first fork."""

from __future__ import annotations

import ctypes
import mmap
from pathlib import Path

from rlm_kernel.sandbox.sharing import LARGE_PAGE_BYTES, large_pages

MAPS = """\
00400000-00c00000 rw-p 00000000 00:00 0                                  [heap]
00f00000-01300000 rw-p 00000000 00:00 0
01400000-01500000 rw-p 00000000 00:00 0
02000000-02400000 r-xp 00000000 fe:00 17                                 /usr/lib/a library.so
02400000-02800000 rw-p 00000000 fe:00 17                                 /usr/lib/a library.so
02800000-02c00000 rw-s 00000000 00:01 18                                 /dev/zero (deleted)
"""


def test_only_whole_large_pages_of_private_writable_memory_count() -> None:
    heap = [0x400000 + n * LARGE_PAGE_BYTES for n in range(4)]
    assert list(large_pages(MAPS)) == [*heap, 0x1000000]


def test_memory_of_this_process_is_found() -> None:
    size = 4 * LARGE_PAGE_BYTES
    with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        found = list(large_pages(Path("/proc/self/maps").read_text()))
    whole = [page for page in found if start <= page <= start + size - LARGE_PAGE_BYTES]
    assert len(whole) >= 3
