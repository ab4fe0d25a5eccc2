"""Drivers of the devices that every guest has."""

from __future__ import annotations

import os

from rlm_kernel.emscripten.errno import Errno, SyscallError


class NullDriver:
    """`/dev/null`: takes everything, gives nothing."""

    def read(self, length: int) -> bytes:
        return b""

    def write(self, data: bytes) -> int:
        return len(data)

    def poll(self, timeout: float | None) -> bool:
        return True

    def control(self, request: int, argument: int) -> int:
        raise SyscallError(Errno.ENOTTY)


class RandomDriver(NullDriver):
    """`/dev/urandom`: the host's randomness."""

    def read(self, length: int) -> bytes:
        return os.urandom(length)


class ZeroDriver(NullDriver):
    """`/dev/zero`."""

    def read(self, length: int) -> bytes:
        return bytes(length)


class FullDriver(ZeroDriver):
    """`/dev/full`: a device without room."""

    def write(self, data: bytes) -> int:
        raise SyscallError(Errno.ENOSPC)


class OutputDriver(NullDriver):
    """A device that can only be written to; `file` is a descriptor of the host."""

    def __init__(self, file: int) -> None:
        self._file = file

    def read(self, length: int) -> bytes:
        raise SyscallError(Errno.EBADF)

    def write(self, data: bytes) -> int:
        try:
            return os.write(self._file, data)
        except OSError:
            raise SyscallError(Errno.EIO) from None
