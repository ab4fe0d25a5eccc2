"""A tree of nodes in memory and the operations on its paths."""

from __future__ import annotations

from collections.abc import Mapping

from rlm_kernel.emscripten.errno import Errno, SyscallError
from rlm_kernel.emscripten.nodes import (
    Directory,
    Node,
    RegularFile,
    Symlink,
    encoded,
    expect_directory,
    expect_file,
)
from rlm_kernel.emscripten.quota import Quota
from rlm_kernel.emscripten.resolution import wall_clock_ns

NAME_MAX = 255
PATH_MAX = 4096
"""Bytes of a path, the NUL at its end included. Source: musl's `include/limits.h`."""

SYMLINKS_MAX = 40


class FileSystem:
    """The guest's files. Errors are `SyscallError` with the number that POSIX names.

    Paths are relative to `start`, or to the root where they begin with a slash. Permission bits
    are kept but not enforced: the guest is the only user of its files, and is root to them.
    `path_max` is how many bytes a path may have, the NUL at its end included.
    """

    def __init__(self, quota: Quota | None = None) -> None:
        self.quota = quota or Quota()
        self.path_max = PATH_MAX
        self.root = Directory()
        self.root.parent = self.root

    def resolve(self, path: str, start: Directory | None = None, *, follow: bool = True) -> Node:
        """The node a path leads to. `follow` is whether a final symbolic link is followed."""
        parent, name = self._walk(path, start or self.root, follow, [SYMLINKS_MAX])
        return parent if name == "" else self._child(parent, name)

    def exists(self, path: str) -> bool:
        """Whether an absolute path leads to something."""
        try:
            self.resolve(path)
        except SyscallError:
            return False
        return True

    def locate(
        self, path: str, start: Directory | None = None, *, nameless: Errno = Errno.EBUSY
    ) -> tuple[Directory, str]:
        """The directory that holds (or would hold) the last name of a path, and that name.

        A final symbolic link is not followed. The name is never empty, `.` or `..`: the error for
        a path that ends so is `nameless`.
        """
        stripped = path.rstrip("/")
        if path and not stripped:
            raise SyscallError(nameless)
        parent, name = self._walk(stripped, start or self.root, False, [SYMLINKS_MAX])
        if name == "":
            raise SyscallError(nameless)
        return parent, name

    def locate_target(self, path: str, start: Directory | None = None) -> tuple[Directory, str]:
        """As `locate`, for creating a file through a final symbolic link; the name may be empty."""
        parent, name = self._walk(path, start or self.root, True, [SYMLINKS_MAX])
        if name and path.endswith("/"):
            raise SyscallError(Errno.EISDIR)
        return parent, name

    def _walk(
        self, path: str, start: Directory, follow: bool, links_left: list[int]
    ) -> tuple[Directory, str]:
        """Where a path leads: a directory and a name in it, or the directory itself and no name."""
        if path == "":
            raise SyscallError(Errno.ENOENT)
        if len(encoded(path)) >= self.path_max:
            raise SyscallError(Errno.ENAMETOOLONG)
        current = self.root if path.startswith("/") else start
        names = [name for name in path.split("/") if name]
        for position, name in enumerate(names):
            if name in (".", ".."):
                current = current if name == "." else current.parent or current
                continue
            if len(encoded(name)) > NAME_MAX:
                raise SyscallError(Errno.ENAMETOOLONG)
            child = current.entries.get(name)
            if position == len(names) - 1 and (child is None or not path.endswith("/")):
                if follow and isinstance(child, Symlink):
                    return self._walk(child.target, current, True, self._spend(links_left))
                return current, name
            current = expect_directory(self._follow(current, name, links_left))
        return current, ""

    def _follow(self, parent: Directory, name: str, links_left: list[int]) -> Node:
        child = self._child(parent, name)
        if not isinstance(child, Symlink):
            return child
        parent, name = self._walk(child.target, parent, True, self._spend(links_left))
        return parent if name == "" else self._child(parent, name)

    @staticmethod
    def _spend(links_left: list[int]) -> list[int]:
        links_left[0] -= 1
        if links_left[0] < 0:
            raise SyscallError(Errno.ELOOP)
        return links_left

    @staticmethod
    def _child(parent: Directory, name: str) -> Node:
        child = parent.entries.get(name)
        if child is None:
            raise SyscallError(Errno.ENOENT)
        return child

    @staticmethod
    def _expect_existing(directory: Directory) -> None:
        if directory.parent is None:
            raise SyscallError(Errno.ENOENT)

    def attach(self, parent: Directory, name: str, node: Node) -> None:
        """Enters a new node under a free name of a directory that still exists."""
        if name in parent.entries:
            raise SyscallError(Errno.EEXIST)
        self._expect_existing(parent)
        self.quota.take_file(node.cost)
        parent.add(name, node)

    def detach(self, parent: Directory, name: str) -> Node:
        """Takes a name out of its directory. Open files of the node stay usable."""
        node = parent.remove(name)
        node.links = 0
        node.changed = wall_clock_ns()
        self.quota.give_file_back(node.cost)
        return node

    def make_directory(
        self, path: str, start: Directory | None = None, permissions: int = 0o755
    ) -> Directory:
        parent, name = self.locate(path, start, nameless=Errno.EEXIST)
        directory = Directory(permissions)
        self.attach(parent, name, directory)
        return directory

    def make_directories(self, path: str) -> Directory:
        """The directory at an absolute path, made with its parents where they are missing."""
        current = self.root
        for name in filter(None, path.split("/")):
            if name not in (".", "..") and name not in current.entries:
                self.make_directory(name, current)
            current = expect_directory(self.resolve(name, current))
        return current

    def create_file(
        self,
        parent: Directory,
        name: str,
        permissions: int = 0o644,
        image: bytes | memoryview = b"",
    ) -> RegularFile:
        """A new file under a free name. `image` is content that is shared, not copied."""
        file = RegularFile(self.quota, permissions, image)
        self.attach(parent, name, file)
        return file

    def place_file(self, path: str, file: RegularFile) -> None:
        """Enters a file without a name at a path, in place of a regular file that was there."""
        parent, name = self.locate_target(path)
        existing = parent if name == "" else parent.entries.get(name)
        if existing is not None:
            file.permissions = expect_file(existing).permissions
            self.detach(parent, name)
        self.attach(parent, name, file)

    def make_file(self, path: str, start: Directory | None, permissions: int) -> RegularFile:
        """A new, empty file."""
        parent, name = self._locate_new(path, start)
        return self.create_file(parent, name, permissions)

    def make_symlink(self, path: str, start: Directory | None, target: str) -> Symlink:
        """A new symbolic link; its target need not exist."""
        if not target:
            raise SyscallError(Errno.ENOENT)
        parent, name = self._locate_new(path, start)
        link = Symlink(target)
        self.attach(parent, name, link)
        return link

    def _locate_new(self, path: str, start: Directory | None) -> tuple[Directory, str]:
        """As `locate`, for what is no directory and may therefore not be named with a slash."""
        parent, name = self.locate(path, start, nameless=Errno.EEXIST)
        if path.endswith("/") and name not in parent.entries:
            raise SyscallError(Errno.ENOENT)
        return parent, name

    def add_image(self, files: Mapping[str, bytes | memoryview]) -> None:
        """Puts files at absolute paths that are free, with the directories they need."""
        folders: dict[str, Directory] = {}
        for path, content in files.items():
            folder, _, name = path.rpartition("/")
            if folder not in folders:
                folders[folder] = self.make_directories(folder)
            self.create_file(folders[folder], name, image=content)

    def remove_directory(self, path: str, start: Directory | None = None) -> None:
        """Removes an empty directory."""
        last = path.rstrip("/").rpartition("/")[2]
        nameless = {".": Errno.EINVAL, "..": Errno.ENOTEMPTY}.get(last, Errno.EBUSY)
        parent, name = self.locate(path, start, nameless=nameless)
        if expect_directory(self._child(parent, name)).entries:
            raise SyscallError(Errno.ENOTEMPTY)
        self.detach(parent, name)

    def unlink(self, path: str, start: Directory | None = None) -> None:
        """Removes anything but a directory."""
        parent, name = self.locate(path, start, nameless=Errno.EISDIR)
        node = self._child(parent, name)
        if isinstance(node, Directory):
            raise SyscallError(Errno.EISDIR)
        if path.endswith("/"):
            raise SyscallError(Errno.ENOTDIR)
        self.detach(parent, name)

    def remove_tree(self, path: str, start: Directory | None = None) -> None:
        """Removes anything, a directory with all that is in it."""
        parent, name = self.locate(path, start)
        node = self._child(parent, name)
        if path.endswith("/"):
            expect_directory(node)
        pending = [(parent, name)]
        while pending:
            folder, name = pending[-1]
            node = folder.entries[name]
            if isinstance(node, Directory) and node.entries:
                pending += ((node, child) for child in node.entries)
            else:
                self.detach(folder, name)
                pending.pop()

    def rename(
        self,
        old: str,
        new: str,
        old_start: Directory | None = None,
        new_start: Directory | None = None,
    ) -> None:
        """Moves a node, in place of what the new name leads to where POSIX allows it."""
        old_parent, old_name = self.locate(old, old_start)
        new_parent, new_name = self.locate(new, new_start)
        node = self._child(old_parent, old_name)
        existing = new_parent.entries.get(new_name)
        self._expect_existing(new_parent)
        if isinstance(node, Directory):
            self._refuse_cycle(node, new_parent)
        elif old.endswith("/") or new.endswith("/"):
            raise SyscallError(Errno.ENOTDIR)
        if node is existing:
            return
        if existing is not None:
            self._refuse_replacement(node, existing)
            self.detach(new_parent, new_name)
        new_parent.add(new_name, old_parent.remove(old_name))
        node.changed = wall_clock_ns()

    @staticmethod
    def _refuse_cycle(node: Directory, new_parent: Directory) -> None:
        ancestor: Directory | None = new_parent
        while ancestor is not None:
            if ancestor is node:
                raise SyscallError(Errno.EINVAL)
            if ancestor.parent is ancestor:
                return
            ancestor = ancestor.parent

    @staticmethod
    def _refuse_replacement(node: Node, existing: Node) -> None:
        if isinstance(existing, Directory):
            if not isinstance(node, Directory):
                raise SyscallError(Errno.EISDIR)
            if existing.entries:
                raise SyscallError(Errno.ENOTEMPTY)
        elif isinstance(node, Directory):
            raise SyscallError(Errno.ENOTDIR)

    def path_of(self, directory: Directory) -> str:
        """The absolute path of a directory; ENOENT when it was removed."""
        names: list[str] = []
        while directory is not self.root:
            parent = directory.parent
            if parent is None:
                raise SyscallError(Errno.ENOENT)
            names.append(next(n for n, node in parent.entries.items() if node is directory))
            directory = parent
        return "/" + "/".join(reversed(names))
