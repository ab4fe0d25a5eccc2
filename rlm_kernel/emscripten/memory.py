"""The guest's linear memory, read and written by address with every access checked."""

from __future__ import annotations

import ctypes
from struct import Struct

from rlm_kernel.emscripten.errno import Errno, SyscallError

PAGE_BYTES = 65536

_U32 = Struct("<I")
_I64 = Struct("<q")


class GuestMemory:
    """Bytes `[0, size)` of a linear memory.

    Every access outside of it raises `SyscallError(EFAULT)` before a byte is touched. Addresses
    are unsigned; lengths must not be negative.
    """

    def __init__(self) -> None:
        self._view = memoryview(b"")
        self.base = 0
        self.size = 0

    def attach(self, base: int, size: int) -> None:
        """Stands for `size` bytes at the host's address `base` from now on."""
        self._view = memoryview((ctypes.c_ubyte * size).from_address(base)).cast("B")
        self.base = base
        self.size = size

    def slice(self, address: int, length: int) -> memoryview:
        """A window on `length` bytes: what is written to it is written to the guest."""
        if address < 0 or length < 0 or address + length > self.size:
            raise SyscallError(Errno.EFAULT)
        return self._view[address : address + length]

    def read(self, address: int, length: int) -> bytes:
        return bytes(self.slice(address, length))

    def write(self, address: int, data: bytes | bytearray | memoryview) -> None:
        self.slice(address, len(data))[:] = data

    def clear(self, address: int, length: int) -> None:
        """Zeros these bytes, without as many zeros in the host's memory."""
        self.slice(address, length)
        ctypes.memset(self.base + address, 0, length)

    def read_cstring(self, address: int, limit: int) -> bytes:
        """The bytes before the first NUL; ENAMETOOLONG when the first `limit` hold none."""
        if not 0 <= address < self.size:
            raise SyscallError(Errno.EFAULT)
        window = bytes(self._view[address : address + limit])
        end = window.find(0)
        if end >= 0:
            return window[:end]
        raise SyscallError(Errno.ENAMETOOLONG if len(window) == limit else Errno.EFAULT)

    def read_u32(self, address: int) -> int:
        value: int = _U32.unpack(self.slice(address, 4))[0]
        return value

    def write_u32(self, address: int, value: int) -> None:
        self.write(address, _U32.pack(value & 0xFFFFFFFF))

    def write_i64(self, address: int, value: int) -> None:
        self.write(address, _I64.pack(value))
