"""Open files and the table of file descriptors."""

from __future__ import annotations

from rlm_kernel.emscripten.errno import Errno, SyscallError
from rlm_kernel.emscripten.nodes import Device, Directory, Node, RegularFile

O_ACCMODE = 0o3
O_RDONLY, O_WRONLY, O_RDWR = 0, 1, 2
O_CREAT = 0o100
O_EXCL = 0o200
O_TRUNC = 0o1000
O_APPEND = 0o2000
O_NONBLOCK = 0o4000
O_DIRECTORY = 0o200000
O_NOFOLLOW = 0o400000
O_CLOEXEC = 0o2000000
"""Flags of open(2); source: musl's `arch/generic/bits/fcntl.h`, which Emscripten uses."""

KEPT_FLAGS = ~(O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC)
"""The flags that stay with an open file."""

SEEK_SET, SEEK_CUR, SEEK_END = 0, 1, 2
OFFSET_MAX = (1 << 63) - 1

DEVICE_TRANSFER_MAX = 1 << 20
"""A device takes or gives at most this many bytes at once, whatever the guest asks for."""


class OpenFile:
    """One open(2): the node, the flags and the offset that its duplicates share."""

    def __init__(self, node: Node, flags: int) -> None:
        self.node = node
        self.flags = flags
        self.offset = 0

    def read(self, length: int) -> bytes | bytearray | memoryview:
        """At most `length` bytes from where the file stands; none at its end."""
        self._expect_readable()
        if isinstance(self.node, Device):
            return self._read_device(self.node, min(length, DEVICE_TRANSFER_MAX))
        data = self.read_at(self.offset, length)
        self.offset += len(data)
        return data

    def read_at(self, offset: int, length: int) -> bytes | bytearray | memoryview:
        self._expect_readable()
        if offset < 0:
            raise SyscallError(Errno.EINVAL)
        return self._file().read_at(offset, length)

    def write(self, data: bytes | memoryview) -> int:
        """Writes where the file stands, or at its end; says how many bytes were taken."""
        self._expect_writable()
        if isinstance(self.node, Device):
            return self._write_device(self.node, bytes(data[:DEVICE_TRANSFER_MAX]))
        start = self.node.size if self.flags & O_APPEND else self.offset
        written = self.write_at(start, data)
        self.offset = start + written
        return written

    def write_at(self, offset: int, data: bytes | memoryview) -> int:
        self._expect_writable()
        if offset < 0:
            raise SyscallError(Errno.EINVAL)
        return self._file().write_at(offset, data)

    def _read_device(self, device: Device, length: int) -> bytes:
        try:
            return device.driver.read(length) if length else b""
        except SyscallError as error:
            raise self._without_waiting(error) from None

    def _write_device(self, device: Device, data: bytes) -> int:
        try:
            return device.driver.write(data) if data else 0
        except SyscallError as error:
            raise self._without_waiting(error) from None

    def _without_waiting(self, error: SyscallError) -> SyscallError:
        """What a guest is told that would wait for ever for itself."""
        if error.errno is Errno.EAGAIN and not self.flags & O_NONBLOCK:
            return SyscallError(Errno.EDEADLK)
        return error

    def truncate(self, length: int) -> None:
        writable = self.flags & O_ACCMODE != O_RDONLY
        if length < 0 or not writable or not isinstance(self.node, RegularFile):
            raise SyscallError(Errno.EINVAL)
        self.node.truncate(length)

    def allocate(self, offset: int, length: int) -> None:
        """Makes sure that the file reaches to the end of this range."""
        self._expect_writable()
        if offset < 0 or length <= 0:
            raise SyscallError(Errno.EINVAL)
        if not isinstance(self.node, RegularFile):
            raise SyscallError(Errno.ENODEV)
        if offset + length > self.node.size:
            self.node.truncate(offset + length)

    def seek(self, offset: int, whence: int) -> int:
        if isinstance(self.node, Device):
            raise SyscallError(Errno.ESPIPE)
        bases = {SEEK_SET: 0, SEEK_CUR: self.offset, SEEK_END: self.node.size}
        if whence not in bases:
            raise SyscallError(Errno.EINVAL)
        target = bases[whence] + offset
        if not 0 <= target <= OFFSET_MAX:
            raise SyscallError(Errno.EINVAL)
        self.offset = target
        return target

    def _file(self) -> RegularFile:
        if isinstance(self.node, Directory):
            raise SyscallError(Errno.EISDIR)
        if not isinstance(self.node, RegularFile):
            raise SyscallError(Errno.ESPIPE)
        return self.node

    def _expect_readable(self) -> None:
        if self.flags & O_ACCMODE == O_WRONLY:
            raise SyscallError(Errno.EBADF)

    def _expect_writable(self) -> None:
        if self.flags & O_ACCMODE == O_RDONLY:
            raise SyscallError(Errno.EBADF)


class Descriptors:
    """Small integers to open files: the lowest free one is given out, at most `limit` of them."""

    def __init__(self, limit: int = 1024) -> None:
        self._limit = limit
        self._open: dict[int, OpenFile] = {}
        self._closed_on_exec: set[int] = set()

    def __getitem__(self, fd: int) -> OpenFile:
        try:
            return self._open[fd]
        except KeyError:
            raise SyscallError(Errno.EBADF) from None

    def expect_room(self) -> None:
        """EMFILE where `add` would find no free number."""
        if len(self._open) >= self._limit:
            raise SyscallError(Errno.EMFILE)

    def add(self, file: OpenFile, lowest: int = 0) -> int:
        if not 0 <= lowest < self._limit:
            raise SyscallError(Errno.EINVAL)
        for fd in range(lowest, self._limit):
            if fd not in self._open:
                self._open[fd] = file
                return fd
        raise SyscallError(Errno.EMFILE)

    def duplicate_to(self, fd: int, target: int) -> int:
        file = self[fd]
        if not 0 <= target < self._limit:
            raise SyscallError(Errno.EBADF)
        self._open[target] = file
        self._closed_on_exec.discard(target)
        return target

    def close(self, fd: int) -> None:
        self[fd]
        del self._open[fd]
        self._closed_on_exec.discard(fd)

    def close_on_exec(self, fd: int) -> bool:
        """The flag of a number; nothing but its memory of it, where there is no exec(2)."""
        return fd in self._closed_on_exec

    def set_close_on_exec(self, fd: int, flag: int) -> None:
        (self._closed_on_exec.add if flag else self._closed_on_exec.discard)(fd)
