"""Getting a process ready to be copied by fork again and again, and its copies to end.

Both take time for each page of its memory. So the pages are made large where the kernel can, and
the host's objects are kept from the garbage collector, which would write to all of them.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator
from pathlib import Path

LARGE_PAGE_BYTES = 2 << 20
MADV_COLLAPSE = 25
"""Since Linux 6.1; source: `include/uapi/asm-generic/mman-common.h`."""


def prepare_for_forks() -> None:
    """Call when all is in memory that the copies are to share."""
    gc.collect()
    gc.freeze()
    madvise = ctypes.CDLL(None).madvise
    for address in large_pages(Path("/proc/self/maps").read_text()):
        # Fails where no page was ever used, and where the kernel knows no such thing.
        madvise(ctypes.c_void_p(address), ctypes.c_size_t(LARGE_PAGE_BYTES), MADV_COLLAPSE)


def large_pages(maps: str) -> Iterator[int]:
    """Addresses of the pieces of writable memory that a large page could hold."""
    for line in maps.splitlines():
        bounds, permissions, _, _, _, *name = line.split(maxsplit=5)
        if permissions == "rw-p" and name in ([], ["[heap]"]):
            start, end = (int(bound, 16) for bound in bounds.split("-"))
            first = -(-start // LARGE_PAGE_BYTES) * LARGE_PAGE_BYTES
            yield from range(first, end - LARGE_PAGE_BYTES + 1, LARGE_PAGE_BYTES)
