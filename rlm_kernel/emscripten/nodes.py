"""What a path can lead to: directories, regular files, symbolic links and devices."""

from __future__ import annotations

import itertools
import stat
from bisect import bisect_right
from collections.abc import Mapping
from operator import itemgetter
from typing import ClassVar, Protocol

from rlm_kernel.emscripten.errno import Errno, SyscallError
from rlm_kernel.emscripten.quota import Quota
from rlm_kernel.emscripten.resolution import wall_clock_ns

ZEROS = bytes(1 << 20)

_inode_numbers = itertools.count(1)


class Node:
    """Metadata that every kind of node has. Times are nanoseconds since the epoch."""

    kind: ClassVar[int]

    def __init__(self, permissions: int) -> None:
        self.number = next(_inode_numbers)
        self.permissions = permissions & 0o7777
        self.links = 1
        self.uid = 0
        self.gid = 0
        self.accessed = self.modified = self.changed = wall_clock_ns()

    @property
    def mode(self) -> int:
        return self.kind | self.permissions

    @property
    def size(self) -> int:
        return 0

    @property
    def cost(self) -> int:
        """Bytes of the quota that the node takes while it has a name."""
        return 0

    def touch(self) -> None:
        """Marks a change of the content, which is one of the node too."""
        self.modified = self.changed = wall_clock_ns()


class Directory(Node):
    """Names and what they lead to. A directory that was removed has no parent.

    Each entry has a cookie, larger than those before it and never used again: a listing that is
    read in parts goes on after the last cookie it saw, whatever came and went meanwhile.
    """

    kind = stat.S_IFDIR

    SELF_COOKIE, PARENT_COOKIE = 1, 2

    def __init__(self, permissions: int = 0o755, parent: Directory | None = None) -> None:
        super().__init__(permissions)
        self.parent = parent
        self.links = 2
        self._entries: dict[str, Node] = {}
        self._cookies: dict[str, int] = {}
        self._next_cookie = self.PARENT_COOKIE + 1
        self._listing: list[tuple[int, str]] | None = None

    @property
    def entries(self) -> Mapping[str, Node]:
        return self._entries

    @property
    def size(self) -> int:
        return 4096

    def add(self, name: str, node: Node) -> None:
        """Enters a node under a name that is free."""
        self._entries[name] = node
        self._cookies[name] = self._next_cookie
        self._next_cookie += 1
        if isinstance(node, Directory):
            node.parent = self
            self.links += 1
        self._changed()

    def remove(self, name: str) -> Node:
        """Takes an entry out and gives its node."""
        node = self._entries.pop(name)
        del self._cookies[name]
        if isinstance(node, Directory):
            node.parent = None
            self.links -= 1
        self._changed()
        return node

    def listed_after(self, cookie: int, count: int) -> list[tuple[int, str, Node]]:
        """The next `count` entries after a cookie, `.` and `..` among them: cookie, name, node."""
        if self.parent is None:
            return []
        if self._listing is None:
            own = [(self.SELF_COOKIE, "."), (self.PARENT_COOKIE, "..")]
            self._listing = own + [(cookie, name) for name, cookie in self._cookies.items()]
        start = bisect_right(self._listing, cookie, key=itemgetter(0)) if cookie else 0
        entries, parent = self._entries, self.parent
        return [
            (cookie, name, entries.get(name) or (self if name == "." else parent))
            for cookie, name in self._listing[start : start + count]
        ]

    def _changed(self) -> None:
        self._listing = None
        self.touch()


class RegularFile(Node):
    """Bytes. A file of the image shares the image's bytes until it is first written to, and only
    then counts against the quota; what it took returns when the last use of the file is gone.
    """

    kind = stat.S_IFREG

    def __init__(
        self, quota: Quota, permissions: int = 0o644, image: bytes | memoryview = b""
    ) -> None:
        super().__init__(permissions)
        self._quota = quota
        self._data: bytes | bytearray | memoryview = image

    def __del__(self) -> None:
        if isinstance(self._data, bytearray):
            self._quota.give_back(len(self._data))

    @property
    def size(self) -> int:
        return len(self._data)

    @property
    def image(self) -> bytes | memoryview | None:
        """The shared content that the file was made with, while nothing was written to it."""
        return None if isinstance(self._data, bytearray) else self._data

    def read_at(self, offset: int, length: int) -> bytes | bytearray | memoryview:
        return self._data[offset : offset + length]

    def write_at(self, offset: int, data: bytes | memoryview) -> int:
        """Writes all of it, after zeros where the file ends before `offset`."""
        if not data:
            return 0
        end = offset + len(data)
        content = self._own(self.size)
        self._quota.take(max(0, end - len(content)))
        self._fill(content, offset)
        content[offset:end] = data
        self.touch()
        return len(data)

    def truncate(self, length: int) -> None:
        """Cuts the file to `length` bytes, or fills it up with zeros."""
        content = self._own(min(length, self.size))
        if length < len(content):
            self._quota.give_back(len(content) - length)
            del content[length:]
        else:
            self._quota.take(length - len(content))
            self._fill(content, length)
        self.touch()

    def _own(self, wanted: int) -> bytearray:
        """The content, private to this file; of the image's only the first `wanted` bytes."""
        if not isinstance(self._data, bytearray):
            self._quota.take(wanted)
            self._data = bytearray(self._data[:wanted])
        return self._data

    @staticmethod
    def _fill(content: bytearray, length: int) -> None:
        # In pieces, so that the zeros are not in the host's memory twice.
        while len(content) < length:
            content.extend(ZEROS[: length - len(content)])


class Symlink(Node):
    """A path, kept as it was written: as text it might take four times the memory it counts by."""

    kind = stat.S_IFLNK

    def __init__(self, target: str) -> None:
        super().__init__(0o777)
        self._target = encoded(target)

    @property
    def target(self) -> str:
        return self._target.decode("utf-8", "surrogateescape")

    @property
    def size(self) -> int:
        return len(self._target)

    @property
    def cost(self) -> int:
        return self.size


class Driver(Protocol):
    """What stands behind a device. Each is called with the guest waiting."""

    def read(self, length: int) -> bytes:
        """At most `length` bytes; none at the end of the input."""

    def write(self, data: bytes) -> int:
        """Takes the bytes and says how many."""

    def poll(self, timeout: float | None) -> bool:
        """Whether a read would not block, after waiting at most `timeout` seconds for it.

        Raises `SyscallError(EINTR)` when the wait is interrupted.
        """

    def control(self, request: int, argument: int) -> int:
        """What ioctl(2) asks of the device; ENOTTY for what it does not know."""


class Device(Node):
    """A character device."""

    kind = stat.S_IFCHR

    def __init__(self, driver: Driver, permissions: int = 0o666) -> None:
        super().__init__(permissions)
        self.driver = driver


class Fifo(Device):
    """One end of a pipe. Nothing that happens while the guest waits could make it ready."""

    kind = stat.S_IFIFO


def encoded(path: str) -> bytes:
    """A path or a name as the guest has it."""
    return path.encode("utf-8", "surrogateescape")


def expect_directory(node: Node) -> Directory:
    if not isinstance(node, Directory):
        raise SyscallError(Errno.ENOTDIR)
    return node


def expect_file(node: Node) -> RegularFile:
    if isinstance(node, Directory):
        raise SyscallError(Errno.EISDIR)
    if not isinstance(node, RegularFile):
        raise SyscallError(Errno.EINVAL)
    return node
