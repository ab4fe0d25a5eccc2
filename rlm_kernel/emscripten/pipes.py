"""Pipes within the guest."""

from __future__ import annotations

import weakref
from struct import Struct

from rlm_kernel.emscripten.descriptors import O_RDONLY, O_WRONLY, Descriptors, OpenFile
from rlm_kernel.emscripten.errno import Errno, SyscallError
from rlm_kernel.emscripten.imports import syscall
from rlm_kernel.emscripten.memory import GuestMemory
from rlm_kernel.emscripten.nodes import Fifo

CAPACITY = 1 << 16
"""Bytes in a pipe; as Linux's."""

_PAIR = Struct("<ii")


class Pipe:
    """The driver of both ends. There is nobody else who could read or write: a transfer that would
    have to wait fails with EAGAIN.
    """

    def __init__(self) -> None:
        self._data = bytearray()
        node = Fifo(self, 0o600)
        self._ends = [OpenFile(node, O_RDONLY), OpenFile(node, O_WRONLY)]
        self._reader, self._writer = map(weakref.ref, self._ends)

    def open(self) -> tuple[OpenFile, OpenFile]:
        """The two ends, which are closed where nothing refers to them any more; only once."""
        reader, writer = self._ends
        self._ends.clear()
        return reader, writer

    def read(self, length: int) -> bytes:
        if not self._data and self._writer() is not None:
            raise SyscallError(Errno.EAGAIN)
        taken = bytes(self._data[:length])
        del self._data[:length]
        return taken

    def write(self, data: bytes) -> int:
        if self._reader() is None:
            raise SyscallError(Errno.EPIPE)
        taken = data[: CAPACITY - len(self._data)]
        if not taken:
            raise SyscallError(Errno.EAGAIN)
        self._data += taken
        return len(taken)

    def poll(self, timeout: float | None) -> bool:
        return bool(self._data) or self._writer() is None

    def control(self, request: int, argument: int) -> int:
        raise SyscallError(Errno.ENOTTY)


class PipeCalls:
    """Makes pipes."""

    def __init__(self, memory: GuestMemory, descriptors: Descriptors) -> None:
        self._memory = memory
        self._fds = descriptors

    @syscall("pipe", "I")
    def pipe(self, result: int) -> int:
        ends = self._memory.slice(result, _PAIR.size)
        reader, writer = Pipe().open()
        first = self._fds.add(reader)
        try:
            second = self._fds.add(writer)
        except SyscallError:
            self._fds.close(first)
            raise
        ends[:] = _PAIR.pack(first, second)
        return 0
