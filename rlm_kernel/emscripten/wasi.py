"""The functions of `wasi_snapshot_preview1`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from struct import Struct

from rlm_kernel.emscripten.cpu_clock import CpuClock
from rlm_kernel.emscripten.descriptors import Descriptors
from rlm_kernel.emscripten.errno import Errno, SyscallError
from rlm_kernel.emscripten.imports import wasi
from rlm_kernel.emscripten.memory import GuestMemory
from rlm_kernel.emscripten.nodes import Device
from rlm_kernel.emscripten.resolution import RESOLUTION_NS, coarse
from rlm_kernel.emscripten.stat import pack_fdstat

_IOVEC = Struct("<II")
IOVECS_MAX = 1024
TRANSFER_MAX = (1 << 31) - 1
"""Bytes that one call can say it moved."""

RANDOM_PIECE_BYTES = 1 << 20

CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPU, CLOCK_THREAD_CPU = range(4)
"""`__wasi_clockid_t`; source: WASI snapshot preview 1."""


class WasiCalls:
    """Reading and writing descriptors, the environment, clocks, randomness and the exit."""

    def __init__(
        self,
        memory: GuestMemory,
        descriptors: Descriptors,
        environment: Mapping[str, str],
        cpu_clock: CpuClock,
    ) -> None:
        self._memory = memory
        self._fds = descriptors
        self._cpu_clock = cpu_clock
        self._environment = [f"{k}={v}\0".encode() for k, v in environment.items()]

    def _buffers(self, iovecs: int, count: int) -> list[memoryview]:
        """The guest's buffers of a scattered read or write: at least one, empty ones left out."""
        if count > IOVECS_MAX:
            raise SyscallError(Errno.EINVAL)
        entries = _IOVEC.iter_unpack(self._memory.slice(iovecs, count * _IOVEC.size))
        buffers = [self._memory.slice(address, length) for address, length in entries if length]
        if sum(map(len, buffers)) > TRANSFER_MAX:
            raise SyscallError(Errno.EINVAL)
        return buffers or [self._memory.slice(0, 0)]

    @wasi("fd_read", "iIII")
    def fd_read(self, fd: int, iovecs: int, count: int, result: int) -> int:
        file, buffers = self._fds[fd], self._buffers(iovecs, count)
        if isinstance(file.node, Device):
            del buffers[1:]  # to fill the next one it might have to wait
        total = _transfer(buffers, lambda buffer, _: _fill(buffer, file.read(len(buffer))))
        self._memory.write_u32(result, total)
        return 0

    @wasi("fd_write", "iIII")
    def fd_write(self, fd: int, iovecs: int, count: int, result: int) -> int:
        file, buffers = self._fds[fd], self._buffers(iovecs, count)
        total = _transfer(buffers, lambda buffer, _: file.write(buffer))
        self._memory.write_u32(result, total)
        return 0

    @wasi("fd_pread", "iIIqI")
    def fd_pread(self, fd: int, iovecs: int, count: int, offset: int, result: int) -> int:
        file, buffers = self._fds[fd], self._buffers(iovecs, count)
        total = _transfer(
            buffers, lambda buffer, done: _fill(buffer, file.read_at(offset + done, len(buffer)))
        )
        self._memory.write_u32(result, total)
        return 0

    @wasi("fd_pwrite", "iIIqI")
    def fd_pwrite(self, fd: int, iovecs: int, count: int, offset: int, result: int) -> int:
        file, buffers = self._fds[fd], self._buffers(iovecs, count)
        total = _transfer(buffers, lambda buffer, done: file.write_at(offset + done, buffer))
        self._memory.write_u32(result, total)
        return 0

    @wasi("fd_seek", "iqiI")
    def fd_seek(self, fd: int, offset: int, whence: int, result: int) -> int:
        self._memory.write_i64(result, self._fds[fd].seek(offset, whence))
        return 0

    @wasi("fd_close", "i")
    def fd_close(self, fd: int) -> int:
        self._fds.close(fd)
        return 0

    @wasi("fd_sync", "i")
    def fd_sync(self, fd: int) -> int:
        self._fds[fd]
        return 0

    @wasi("fd_fdstat_get", "iI")
    def fd_fdstat_get(self, fd: int, result: int) -> int:
        file = self._fds[fd]
        self._memory.write(result, pack_fdstat(file))
        return 0

    @wasi("environ_sizes_get", "II")
    def environ_sizes_get(self, count: int, size: int) -> int:
        self._memory.write_u32(count, len(self._environment))
        self._memory.write_u32(size, sum(map(len, self._environment)))
        return 0

    @wasi("environ_get", "II")
    def environ_get(self, pointers: int, buffer: int) -> int:
        for index, entry in enumerate(self._environment):
            self._memory.write_u32(pointers + 4 * index, buffer)
            self._memory.write(buffer, entry)
            buffer += len(entry)
        return 0

    @wasi("clock_time_get", "iqI")
    def clock_time_get(self, clock: int, precision: int, result: int) -> int:
        readers: dict[int, Callable[[], int]] = {
            CLOCK_REALTIME: time.time_ns,
            CLOCK_MONOTONIC: time.monotonic_ns,
            CLOCK_PROCESS_CPU: lambda: self._cpu_clock.read().process_ns,
            CLOCK_THREAD_CPU: lambda: self._cpu_clock.read().thread_ns,
        }
        if clock not in readers:
            raise SyscallError(Errno.EINVAL)
        self._memory.write_i64(result, coarse(readers[clock]()))
        return 0

    @wasi("clock_res_get", "iI")
    def clock_res_get(self, clock: int, result: int) -> int:
        if not CLOCK_REALTIME <= clock <= CLOCK_THREAD_CPU:
            raise SyscallError(Errno.EINVAL)
        self._memory.write_i64(result, RESOLUTION_NS)
        return 0

    @wasi("random_get", "II")
    def random_get(self, buffer: int, length: int) -> int:
        target = self._memory.slice(buffer, length)
        for start in range(0, length, RANDOM_PIECE_BYTES):
            piece = target[start : start + RANDOM_PIECE_BYTES]
            piece[:] = os.urandom(len(piece))
        return 0


def _transfer(buffers: Iterable[memoryview], move: Callable[[memoryview, int], int]) -> int:
    """Bytes that `move(buffer, done)` moved: buffer by buffer until one is not moved whole.

    An error after the first byte only ends the transfer: what was moved must not be lost.
    """
    total = 0
    for buffer in buffers:
        try:
            moved = move(buffer, total)
        except SyscallError:
            if total == 0:
                raise
            break
        total += moved
        if moved < len(buffer):
            break
    return total


def _fill(buffer: memoryview, data: bytes | bytearray | memoryview) -> int:
    buffer[: len(data)] = data
    return len(data)
