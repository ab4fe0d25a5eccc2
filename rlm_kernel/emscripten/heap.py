"""Growth of the linear memory, and files mapped into it."""

from __future__ import annotations

from collections.abc import Callable

from rlm_kernel.emscripten.descriptors import O_ACCMODE, O_RDONLY, O_WRONLY, Descriptors
from rlm_kernel.emscripten.errno import Errno, SyscallError
from rlm_kernel.emscripten.imports import imported
from rlm_kernel.emscripten.memory import PAGE_BYTES, GuestMemory
from rlm_kernel.emscripten.nodes import Node, RegularFile

PROT_WRITE = 2
MAP_TYPE, MAP_PRIVATE = 0xF, 2
"""Source: musl's `include/sys/mman.h`."""

GROWTH_STEP_MAX = 96 << 20


class HeapCalls:
    """`grow(pages)` grows the memory and says whether it could; `allocate(alignment, size)` is
    the guest's own `memalign`, 0 when it has no room.
    """

    def __init__(
        self,
        memory: GuestMemory,
        descriptors: Descriptors,
        limit_bytes: int,
        grow: Callable[[int], bool],
        allocate: Callable[[int, int], int],
    ) -> None:
        self._memory = memory
        self._fds = descriptors
        self._limit = limit_bytes // PAGE_BYTES * PAGE_BYTES
        self._grow = grow
        self._allocate = allocate

    @imported("emscripten_get_heap_max", "", "I")
    def heap_max(self) -> int:
        return self._limit

    @imported("emscripten_resize_heap", "I", "i")
    def resize_heap(self, requested: int) -> int:
        """Grows to at least `requested` bytes, by a fifth where there is room for it."""
        size = self._memory.size
        if requested <= size:
            return 1
        if requested > self._limit:
            return 0
        generous = min(max(requested, size + size // 5), requested + GROWTH_STEP_MAX, self._limit)
        for target in (generous, requested):
            pages = -(-(target - size) // PAGE_BYTES)
            if self._grow(pages):
                return 1
        return 0

    @imported("_mmap_js", "IiiiqII", "i", lambda errno: -errno)
    def mmap(
        self, length: int, prot: int, flags: int, fd: int, offset: int, allocated: int, result: int
    ) -> int:
        """Maps a file by copying it; writes reach the file at `munmap` and `msync`."""
        file = self._mappable(fd, prot, flags)
        if offset < 0 or length == 0:
            raise SyscallError(Errno.EINVAL)
        address = self._allocate(PAGE_BYTES, length)
        if address == 0:
            raise SyscallError(Errno.ENOMEM)
        self._memory.clear(address, length)
        self._memory.write(address, file.read_at(offset, length))
        self._memory.write_u32(allocated, 1)
        self._memory.write_u32(result, address)
        return 0

    def _mappable(self, fd: int, prot: int, flags: int) -> RegularFile:
        file = self._fds[fd]
        access = file.flags & O_ACCMODE
        if access == O_WRONLY or (access == O_RDONLY and _reaches_file(prot, flags)):
            raise SyscallError(Errno.EACCES)
        return _regular(file.node)

    @imported("_munmap_js", "IIiiiq", "i", lambda errno: -errno)
    @imported("_msync_js", "IIiiiq", "i", lambda errno: -errno)
    def write_back(
        self, address: int, length: int, prot: int, flags: int, fd: int, offset: int
    ) -> int:
        """Writes a shared mapping to its file, which keeps the length that it has by now."""
        file = _regular(self._fds[fd].node)
        if offset < 0:
            raise SyscallError(Errno.EINVAL)
        if _reaches_file(prot, flags):
            within = min(length, max(0, file.size - offset))
            file.write_at(offset, self._memory.slice(address, within))
        return 0


def _reaches_file(prot: int, flags: int) -> bool:
    return bool(prot & PROT_WRITE) and flags & MAP_TYPE != MAP_PRIVATE


def _regular(node: Node) -> RegularFile:
    if not isinstance(node, RegularFile):
        raise SyscallError(Errno.ENODEV)
    return node
