"""The system calls on what is known of a file beside its content."""

from __future__ import annotations

from struct import Struct

from rlm_kernel.emscripten.descriptors import Descriptors
from rlm_kernel.emscripten.errno import Errno, SyscallError
from rlm_kernel.emscripten.imports import syscall
from rlm_kernel.emscripten.locations import AT_FDCWD, AT_SYMLINK_NOFOLLOW, Locations
from rlm_kernel.emscripten.memory import GuestMemory
from rlm_kernel.emscripten.nodes import Directory, Node
from rlm_kernel.emscripten.quota import Quota
from rlm_kernel.emscripten.resolution import wall_clock_ns
from rlm_kernel.emscripten.stat import pack_stat, pack_statfs

UTIME_NOW, UTIME_OMIT = 0x3FFFFFFF, 0x3FFFFFFE
"""Source: musl's `include/sys/stat.h`."""

NO_ID = -1
"""The owner that chown(2) leaves as it is."""

_TIMESPECS = Struct("<qi4xqi4x")


class MetadataCalls:
    """Status, access, permission bits, owners and times."""

    def __init__(
        self, memory: GuestMemory, locations: Locations, descriptors: Descriptors, quota: Quota
    ) -> None:
        self._memory = memory
        self._at = locations
        self._fds = descriptors
        self._quota = quota

    @syscall("stat64", "II")
    def stat64(self, path: int, buffer: int) -> int:
        return self.newfstatat(AT_FDCWD, path, buffer, 0)

    @syscall("lstat64", "II")
    def lstat64(self, path: int, buffer: int) -> int:
        return self.newfstatat(AT_FDCWD, path, buffer, AT_SYMLINK_NOFOLLOW)

    @syscall("newfstatat", "iIIi")
    def newfstatat(self, directory_fd: int, path: int, buffer: int, flags: int) -> int:
        self._memory.write(buffer, pack_stat(self._at.find(directory_fd, path, flags)))
        return 0

    @syscall("fstat64", "iI")
    def fstat64(self, fd: int, buffer: int) -> int:
        self._memory.write(buffer, pack_stat(self._fds[fd].node))
        return 0

    @syscall("statfs64", "III")
    def statfs64(self, path: int, size: int, buffer: int) -> int:
        self._at.find(AT_FDCWD, path)
        self._memory.write(buffer, pack_statfs(self._quota))
        return 0

    @syscall("fstatfs64", "iII")
    def fstatfs64(self, fd: int, size: int, buffer: int) -> int:
        self._fds[fd]
        self._memory.write(buffer, pack_statfs(self._quota))
        return 0

    @syscall("faccessat", "iIii")
    def faccessat(self, directory_fd: int, path: int, mode: int, flags: int) -> int:
        if mode & ~7:
            raise SyscallError(Errno.EINVAL)
        node = self._at.find(directory_fd, path, flags)
        executable = isinstance(node, Directory) or node.permissions & 0o111
        if mode & 1 and not executable:
            raise SyscallError(Errno.EACCES)
        return 0

    @syscall("chmod", "Ii")
    def chmod(self, path: int, permissions: int) -> int:
        return self.fchmodat2(AT_FDCWD, path, permissions, 0)

    @syscall("fchmod", "ii")
    def fchmod(self, fd: int, permissions: int) -> int:
        return self._change_mode(self._fds[fd].node, permissions)

    @syscall("fchmodat2", "iIii")
    def fchmodat2(self, directory_fd: int, path: int, permissions: int, flags: int) -> int:
        return self._change_mode(self._at.find(directory_fd, path, flags), permissions)

    @staticmethod
    def _change_mode(node: Node, permissions: int) -> int:
        node.permissions = permissions & 0o7777
        node.changed = wall_clock_ns()
        return 0

    @syscall("fchown32", "iii")
    def fchown32(self, fd: int, uid: int, gid: int) -> int:
        return self._change_owner(self._fds[fd].node, uid, gid)

    @syscall("fchownat", "iIiii")
    def fchownat(self, directory_fd: int, path: int, uid: int, gid: int, flags: int) -> int:
        return self._change_owner(self._at.find(directory_fd, path, flags), uid, gid)

    @staticmethod
    def _change_owner(node: Node, uid: int, gid: int) -> int:
        node.uid = node.uid if uid == NO_ID else uid & 0xFFFFFFFF
        node.gid = node.gid if gid == NO_ID else gid & 0xFFFFFFFF
        node.changed = wall_clock_ns()
        return 0

    @syscall("utimensat", "iIIi")
    def utimensat(self, directory_fd: int, path: int, times: int, flags: int) -> int:
        """Sets both times; a null `path` means the descriptor itself, null `times` now."""
        node = self._at.find(directory_fd, path, flags) if path else self._at.opened(directory_fd)
        now = wall_clock_ns()
        accessed = modified = now
        if times:
            fields = _TIMESPECS.unpack(self._memory.read(times, _TIMESPECS.size))
            accessed = self._chosen_time(fields[0], fields[1], now, node.accessed)
            modified = self._chosen_time(fields[2], fields[3], now, node.modified)
        node.accessed, node.modified, node.changed = accessed, modified, now
        return 0

    @staticmethod
    def _chosen_time(seconds: int, nanoseconds: int, now: int, unchanged: int) -> int:
        if nanoseconds == UTIME_NOW:
            return now
        if nanoseconds == UTIME_OMIT:
            return unchanged
        if not 0 <= nanoseconds < 1_000_000_000:
            raise SyscallError(Errno.EINVAL)
        return seconds * 1_000_000_000 + nanoseconds
