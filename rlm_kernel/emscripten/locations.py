"""How the guest names a file: a C string, relative to its current directory or to a descriptor."""

from __future__ import annotations

from rlm_kernel.emscripten.descriptors import Descriptors
from rlm_kernel.emscripten.errno import Errno, SyscallError
from rlm_kernel.emscripten.filesystem import FileSystem
from rlm_kernel.emscripten.imports import syscall
from rlm_kernel.emscripten.memory import GuestMemory
from rlm_kernel.emscripten.nodes import Directory, Node, expect_directory

AT_FDCWD = -100
AT_SYMLINK_NOFOLLOW = 0x100
AT_EMPTY_PATH = 0x1000
"""Source: musl's `include/fcntl.h`."""


class Locations:
    """Finds what the guest names, and keeps its current directory."""

    def __init__(
        self, memory: GuestMemory, filesystem: FileSystem, descriptors: Descriptors
    ) -> None:
        self._memory = memory
        self._files = filesystem
        self._fds = descriptors
        self._cwd = filesystem.root

    def path(self, address: int) -> str:
        """The path that is a C string at this address; bytes that are not UTF-8 survive."""
        path = self._memory.read_cstring(address, self._files.path_max)
        return path.decode("utf-8", "surrogateescape")

    def start(self, directory_fd: int, path: str) -> Directory:
        """Where a path starts. The descriptor of an absolute path does not matter."""
        if directory_fd == AT_FDCWD or path.startswith("/"):
            return self._cwd
        return expect_directory(self._fds[directory_fd].node)

    def find(self, directory_fd: int, path_address: int, flags: int = 0) -> Node:
        """The node that a path and `AT_*` flags lead to."""
        path = self.path(path_address)
        if path == "" and flags & AT_EMPTY_PATH:
            return self.opened(directory_fd)
        start = self.start(directory_fd, path)
        return self._files.resolve(path, start, follow=not flags & AT_SYMLINK_NOFOLLOW)

    def opened(self, fd: int) -> Node:
        """The node of a descriptor, or the current directory."""
        return self._cwd if fd == AT_FDCWD else self._fds[fd].node

    def move_to(self, path: str) -> None:
        """Sets the current directory."""
        self._cwd = expect_directory(self._files.resolve(path, self._cwd))

    @syscall("chdir", "I")
    def chdir(self, path: int) -> int:
        self.move_to(self.path(path))
        return 0

    @syscall("fchdir", "i")
    def fchdir(self, fd: int) -> int:
        self._cwd = expect_directory(self._fds[fd].node)
        return 0

    @syscall("getcwd", "II")
    def getcwd(self, buffer: int, size: int) -> int:
        path = self._files.path_of(self._cwd).encode("utf-8", "surrogateescape") + b"\0"
        if len(path) > size:
            raise SyscallError(Errno.ERANGE if size else Errno.EINVAL)
        self._memory.write(buffer, path)
        return len(path)
