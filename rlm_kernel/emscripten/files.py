"""The system calls on files by path, and on their descriptors."""

from __future__ import annotations

import stat as modes

from rlm_kernel.emscripten import descriptors as d
from rlm_kernel.emscripten.descriptors import Descriptors, OpenFile
from rlm_kernel.emscripten.errno import Errno, SyscallError
from rlm_kernel.emscripten.filesystem import FileSystem
from rlm_kernel.emscripten.imports import syscall
from rlm_kernel.emscripten.locations import (
    AT_FDCWD,
    AT_SYMLINK_NOFOLLOW,
    Locations,
)
from rlm_kernel.emscripten.memory import GuestMemory
from rlm_kernel.emscripten.nodes import (
    Device,
    Directory,
    Node,
    RegularFile,
    Symlink,
    encoded,
    expect_directory,
    expect_file,
)
from rlm_kernel.emscripten.stat import DIRENT_BYTES, pack_dirents

AT_REMOVEDIR = 0x200
"""Source: musl's `include/fcntl.h`."""

F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL = range(5)
F_GETLK, F_SETLK, F_SETLKW = 12, 13, 14
F_DUPFD_CLOEXEC = 1030
F_UNLCK = 2
FD_CLOEXEC = 1
"""Source: musl's `arch/generic/bits/fcntl.h` and Emscripten's `__syscall_fcntl64`."""

CHANGEABLE_FLAGS = d.O_APPEND | d.O_NONBLOCK

DIRENTS_MAX = 256
"""One getdents64 gives at most this many records, whatever the guest has room for."""


class FileCalls:
    """`__syscall_*` of files. Paths are relative to the current directory or a directory's fd."""

    def __init__(
        self,
        memory: GuestMemory,
        filesystem: FileSystem,
        locations: Locations,
        descriptors: Descriptors,
    ) -> None:
        self._memory = memory
        self._files = filesystem
        self._at = locations
        self._fds = descriptors
        self._umask = 0o022

    def chdir_to(self, path: str) -> None:
        """Sets the current directory."""
        self._at.move_to(path)

    def _place(self, directory_fd: int, path_address: int) -> tuple[str, Directory]:
        """A path and where it starts."""
        path = self._at.path(path_address)
        return path, self._at.start(directory_fd, path)

    @syscall("openat", "iIiI")
    def openat(self, directory_fd: int, path_address: int, flags: int, varargs: int) -> int:
        path, start = self._place(directory_fd, path_address)
        permissions = self._memory.read_u32(varargs) if flags & d.O_CREAT else 0
        if flags & d.O_CREAT and flags & d.O_DIRECTORY:
            raise SyscallError(Errno.EINVAL)
        self._fds.expect_room()
        node = self._existing(path, start, flags)
        if node is None:
            parent, name = self._files.locate_target(path, start)
            node = self._files.create_file(parent, name, permissions & ~self._umask)
        elif isinstance(node, RegularFile) and flags & d.O_TRUNC and flags & d.O_ACCMODE:
            node.truncate(0)
        fd = self._fds.add(OpenFile(node, flags & d.KEPT_FLAGS))
        self._fds.set_close_on_exec(fd, flags & d.O_CLOEXEC)
        return fd

    def _existing(self, path: str, start: Directory, flags: int) -> Node | None:
        """The node to open, or nothing where it is to be created."""
        exclusive = flags & d.O_CREAT and flags & d.O_EXCL
        if flags & d.O_CREAT and path.endswith("/"):
            self._files.locate(path, start, nameless=Errno.EISDIR)
            raise SyscallError(Errno.EISDIR)
        try:
            node = self._files.resolve(path, start, follow=not (flags & d.O_NOFOLLOW or exclusive))
        except SyscallError as error:
            if error.errno is Errno.ENOENT and flags & d.O_CREAT:
                return None
            raise
        if exclusive:
            raise SyscallError(Errno.EEXIST)
        if isinstance(node, Symlink):
            raise SyscallError(Errno.ELOOP)
        if flags & d.O_DIRECTORY:
            expect_directory(node)
        if isinstance(node, Directory) and flags & (d.O_ACCMODE | d.O_CREAT | d.O_TRUNC):
            raise SyscallError(Errno.EISDIR)
        return node

    @syscall("mkdirat", "iIi")
    def mkdirat(self, directory_fd: int, path: int, permissions: int) -> int:
        self._files.make_directory(*self._place(directory_fd, path), permissions & ~self._umask)
        return 0

    @syscall("mknodat", "iIIi")
    def mknodat(self, directory_fd: int, path: int, mode: int, device: int) -> int:
        if modes.S_IFMT(mode) not in (0, modes.S_IFREG):
            raise SyscallError(Errno.EPERM)
        self._files.make_file(*self._place(directory_fd, path), mode & ~self._umask)
        return 0

    @syscall("symlinkat", "IiI")
    def symlinkat(self, target: int, directory_fd: int, path: int) -> int:
        self._files.make_symlink(*self._place(directory_fd, path), self._at.path(target))
        return 0

    @syscall("readlinkat", "iIII")
    def readlinkat(self, directory_fd: int, path: int, buffer: int, size: int) -> int:
        node = self._at.find(directory_fd, path, AT_SYMLINK_NOFOLLOW)
        if not isinstance(node, Symlink) or size == 0:
            raise SyscallError(Errno.EINVAL)
        target = encoded(node.target)[:size]
        self._memory.write(buffer, target)
        return len(target)

    @syscall("unlinkat", "iIi")
    def unlinkat(self, directory_fd: int, path: int, flags: int) -> int:
        remove = self._files.remove_directory if flags & AT_REMOVEDIR else self._files.unlink
        remove(*self._place(directory_fd, path))
        return 0

    @syscall("rmdir", "I")
    def rmdir(self, path: int) -> int:
        return self.unlinkat(AT_FDCWD, path, AT_REMOVEDIR)

    @syscall("renameat", "iIiI")
    def renameat(self, old_fd: int, old: int, new_fd: int, new: int) -> int:
        old_path, old_start = self._place(old_fd, old)
        new_path, new_start = self._place(new_fd, new)
        self._files.rename(old_path, new_path, old_start, new_start)
        return 0

    @syscall("umask_js", "i")
    def umask(self, mask: int) -> int:
        previous, self._umask = self._umask, mask & 0o777
        return previous

    @syscall("truncate64", "Iq")
    def truncate64(self, path: int, length: int) -> int:
        file = expect_file(self._at.find(AT_FDCWD, path))
        OpenFile(file, d.O_WRONLY).truncate(length)
        return 0

    @syscall("ftruncate64", "iq")
    def ftruncate64(self, fd: int, length: int) -> int:
        self._fds[fd].truncate(length)
        return 0

    @syscall("fallocate", "iiqq")
    def fallocate(self, fd: int, mode: int, offset: int, length: int) -> int:
        file = self._fds[fd]
        if mode:
            raise SyscallError(Errno.EOPNOTSUPP)
        file.allocate(offset, length)
        return 0

    @syscall("fadvise64", "iqqi")
    @syscall("fdatasync", "i")
    def accept(self, fd: int, *_advice: int) -> int:
        """What there is nothing to do for; only the descriptor must be open."""
        self._fds[fd]
        return 0

    @syscall("getdents64", "iII")
    def getdents64(self, fd: int, buffer: int, size: int) -> int:
        """The entries after the last one that this open file gave; its offset is their cookie."""
        file = self._fds[fd]
        directory = expect_directory(file.node)
        if size < DIRENT_BYTES:
            raise SyscallError(Errno.EINVAL)
        count = min(size // DIRENT_BYTES, DIRENTS_MAX)
        chosen = directory.listed_after(file.offset, count)
        self._memory.write(buffer, pack_dirents(chosen))
        if chosen:
            file.offset = chosen[-1][0]
        return len(chosen) * DIRENT_BYTES

    @syscall("dup", "i")
    def dup(self, fd: int) -> int:
        return self._fds.add(self._fds[fd])

    @syscall("dup3", "iii")
    def dup3(self, fd: int, target: int, flags: int) -> int:
        if fd == target:
            raise SyscallError(Errno.EINVAL)
        self._fds.duplicate_to(fd, target)
        self._fds.set_close_on_exec(target, flags & d.O_CLOEXEC)
        return target

    @syscall("fcntl64", "iiI")
    def fcntl64(self, fd: int, command: int, varargs: int) -> int:
        file = self._fds[fd]
        if command in (F_DUPFD, F_DUPFD_CLOEXEC):
            copy = self._fds.add(file, self._memory.read_u32(varargs))
            self._fds.set_close_on_exec(copy, command == F_DUPFD_CLOEXEC)
            return copy
        if command == F_GETFD:
            return int(self._fds.close_on_exec(fd))
        if command == F_SETFD:
            self._fds.set_close_on_exec(fd, self._memory.read_u32(varargs) & FD_CLOEXEC)
            return 0
        if command == F_GETFL:
            return file.flags
        if command == F_SETFL:
            wanted = self._memory.read_u32(varargs) & CHANGEABLE_FLAGS
            file.flags = file.flags & ~CHANGEABLE_FLAGS | wanted
            return 0
        if command == F_GETLK:
            self._memory.write(self._memory.read_u32(varargs), F_UNLCK.to_bytes(2, "little"))
            return 0
        if command in (F_SETLK, F_SETLKW):
            return 0
        raise SyscallError(Errno.EINVAL)

    @syscall("ioctl", "iiI")
    def ioctl(self, fd: int, request: int, varargs: int) -> int:
        node = self._fds[fd].node
        if not isinstance(node, Device):
            raise SyscallError(Errno.ENOTTY)
        return node.driver.control(request, self._memory.read_u32(varargs))
