"""The guest's files beside the real ones: the same calls, in any order, come to the same."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Callable
from struct import unpack_from
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from rlm_kernel.emscripten import Errno
from rlm_kernel.emscripten import descriptors as d
from tests.emscripten.guest import Guest
from tests.hostile.profiles import few, many

NAMES = ("a", "b", "c")
names = st.sampled_from(NAMES)
paths = st.one_of(
    names,
    names,
    st.lists(st.sampled_from((*NAMES, ".")), min_size=2, max_size=4).map("/".join),
    names.map(lambda name: f"{name}/"),
    st.tuples(names, names).map(lambda pair: f"{pair[0]}/../{pair[1]}"),
)
named_paths = paths.filter(lambda path: not path.endswith("."))
"""Of two errors that a call has, POSIX leaves it open which it tells."""

targets = st.one_of(names, st.tuples(names, names).map("/".join))
"""Without `..`, so that no link leads out of the real folder."""

flags = st.builds(
    lambda access, more: access | sum(set(more)),
    st.sampled_from((d.O_RDONLY, d.O_WRONLY, d.O_RDWR)),
    st.lists(st.sampled_from((d.O_CREAT, d.O_EXCL, d.O_TRUNC, d.O_APPEND, d.O_NOFOLLOW))),
)
REAL_FLAGS = {
    d.O_CREAT: os.O_CREAT,
    d.O_EXCL: os.O_EXCL,
    d.O_TRUNC: os.O_TRUNC,
    d.O_APPEND: os.O_APPEND,
    d.O_NOFOLLOW: os.O_NOFOLLOW,
}
offsets = st.integers(-2, 300)
data = st.binary(max_size=40)
FILES = 6
AT_REMOVEDIR = 0x200

Outcome = Any
"""A value, or the name of an errno."""


def real(act: Callable[[], Any]) -> Outcome:
    try:
        return act()
    except OSError as error:
        return errno.errorcode[error.errno or 0]


def named(result: int) -> Outcome:
    """What a system call of the guest's came to; 0 is None, as the real ones say it."""
    return Errno(-result).name if result < 0 else result or None


def real_flags(chosen: int) -> int:
    return chosen & d.O_ACCMODE | sum(real for ours, real in REAL_FLAGS.items() if chosen & ours)


class FileModel(RuleBasedStateMachine):
    """Each rule does a thing on both sides, and what comes of it must agree."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.mkdtemp()
        self.root = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        self.guest = Guest()
        self.open_files: list[tuple[int, int]] = []
        """Descriptors of the same file: the guest's, and the real one."""

    def teardown(self) -> None:
        for _, fd in self.open_files:
            os.close(fd)
        os.close(self.root)
        shutil.rmtree(self.folder)

    def same(self, ours: Outcome, theirs: Outcome) -> None:
        assert ours == theirs, f"the guest's: {ours}, the real one: {theirs}"

    def files(self, number: int) -> tuple[int, int] | None:
        return self.open_files[number % len(self.open_files)] if self.open_files else None

    @rule(path=paths, chosen=flags)
    def open(self, path: str, chosen: int) -> None:
        if len(self.open_files) >= FILES:
            return
        ours = self.guest.open(path, chosen)
        theirs = real(lambda: os.open(path, real_flags(chosen), 0o644, dir_fd=self.root))
        if ours >= 0 and isinstance(theirs, int):
            self.open_files.append((ours, theirs))
        else:
            self.same(named(ours), theirs)

    @rule(number=st.integers(0, FILES))
    def close(self, number: int) -> None:
        if pair := self.files(number):
            self.open_files.remove(pair)
            self.guest.call("fd_close", pair[0])
            os.close(pair[1])

    @rule(number=st.integers(0, FILES))
    def duplicate(self, number: int) -> None:
        if (pair := self.files(number)) and len(self.open_files) < FILES:
            self.open_files.append((self.guest.syscall("dup", pair[0]), os.dup(pair[1])))

    @rule(number=st.integers(0, FILES), content=data)
    def write(self, number: int, content: bytes) -> None:
        if pair := self.files(number):
            ours = self.guest.write(pair[0], content)
            theirs = real(lambda: os.write(pair[1], content))
            self.same(named(ours), theirs or None)

    @rule(number=st.integers(0, FILES), length=st.integers(0, 50))
    def read(self, number: int, length: int) -> None:
        if pair := self.files(number):
            self.same(self._read(pair[0], length), real(lambda: os.read(pair[1], length)))

    def _read(self, fd: int, length: int) -> Outcome:
        buffer, result = self.guest.room(length), self.guest.room(4)
        code: int = self.guest.call("fd_read", fd, self.guest.iovecs((buffer, length)), 1, result)
        if code:
            return Errno(code).name
        return self.guest.memory.read(buffer, self.guest.memory.read_u32(result))

    @rule(number=st.integers(0, FILES), offset=offsets, content=data)
    def write_at(self, number: int, offset: int, content: bytes) -> None:
        pair = self.files(number)
        if pair and not self._appends(pair[1]):  # for which Linux does not do what POSIX says
            result = self.guest.room(4)
            vector = self.guest.iovecs((self.guest.put(content), len(content)))
            code: int = self.guest.call("fd_pwrite", pair[0], vector, 1, offset, result)
            ours = Errno(code).name if code else self.guest.memory.read_u32(result)
            self.same(ours, real(lambda: os.pwrite(pair[1], content, offset)))

    @staticmethod
    def _appends(fd: int) -> bool:
        import fcntl

        return bool(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_APPEND)

    @rule(number=st.integers(0, FILES), offset=offsets, whence=st.sampled_from((0, 1, 2)))
    def seek(self, number: int, offset: int, whence: int) -> None:
        pair = self.files(number)
        if pair and not stat.S_ISDIR(os.fstat(pair[1]).st_mode):
            result = self.guest.room(8)
            code: int = self.guest.call("fd_seek", pair[0], offset, whence, result)
            ours = Errno(code).name if code else self.guest.memory.read_u32(result)
            self.same(ours, real(lambda: os.lseek(pair[1], offset, whence)))

    @rule(number=st.integers(0, FILES), length=offsets)
    def truncate(self, number: int, length: int) -> None:
        if pair := self.files(number):
            ours = named(self.guest.syscall("ftruncate64", pair[0], length))
            self.same(ours, real(lambda: os.ftruncate(pair[1], length)))

    @rule(path=paths)
    def make_directory(self, path: str) -> None:
        ours = named(self.guest.syscall("mkdirat", -100, path, 0o755))
        self.same(ours, real(lambda: os.mkdir(path, 0o755, dir_fd=self.root)))

    @rule(path=paths, text=targets)
    def link(self, path: str, text: str) -> None:
        ours = named(self.guest.syscall("symlinkat", text, -100, path))
        self.same(ours, real(lambda: os.symlink(text, path, dir_fd=self.root)))

    @rule(path=paths)
    def read_link(self, path: str) -> None:
        buffer = self.guest.room(64)
        ours = self.guest.syscall("readlinkat", -100, path, buffer, 64)
        text = Errno(-ours).name if ours < 0 else self.guest.memory.read(buffer, ours).decode()
        self.same(text, real(lambda: os.readlink(path, dir_fd=self.root)))

    @rule(path=paths)
    def unlink(self, path: str) -> None:
        ours = named(self.guest.syscall("unlinkat", -100, path, 0))
        self.same(ours, real(lambda: os.unlink(path, dir_fd=self.root)))

    @rule(path=paths)
    def remove_directory(self, path: str) -> None:
        ours = named(self.guest.syscall("unlinkat", -100, path, AT_REMOVEDIR))
        self.same(ours, real(lambda: os.rmdir(path, dir_fd=self.root)))

    @rule(old=named_paths, new=named_paths)
    def rename(self, old: str, new: str) -> None:
        ours = named(self.guest.syscall("renameat", -100, old, -100, new))
        theirs = real(lambda: os.rename(old, new, src_dir_fd=self.root, dst_dir_fd=self.root))
        self.same(ours, theirs)

    @rule(path=paths, follow=st.booleans())
    def status(self, path: str, follow: bool) -> None:
        buffer = self.guest.room(96)
        name = "stat64" if follow else "lstat64"
        ours = named(self.guest.syscall(name, path, buffer))
        found = real(lambda: os.stat(path, dir_fd=self.root, follow_symlinks=follow))
        if isinstance(found, str):
            self.same(ours, found)
            return
        mode, size = (
            unpack_from(code, self.guest.memory.read(buffer, 96), at)[0]
            for code, at in (("<I", 4), ("<q", 24))
        )
        expected = (stat.S_IFMT(found.st_mode), found.st_size)
        if stat.S_ISDIR(found.st_mode):  # whose size is the file system's own affair
            expected, size = (expected[0], 0), 0
        self.same((stat.S_IFMT(mode), size), expected)

    @invariant()
    def the_trees_are_the_same(self) -> None:
        assert listed(self.guest) == sorted(walked(self.root, ""))


def listed(guest: Guest) -> list[tuple[str, str]]:
    """Every path below the guest's root, with what it is."""
    found: list[tuple[str, str]] = []
    pending = [("", guest.files.root)]
    while pending:
        prefix, directory = pending.pop()
        for name, node in directory.entries.items():
            found.append((prefix + name, described(node.mode)))
            with contextlib.suppress(AttributeError):
                _ = node.entries  # type: ignore[attr-defined]
                pending.append((f"{prefix}{name}/", node))  # type: ignore[arg-type]
    return sorted(found)


def walked(directory: int, prefix: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for entry in os.scandir(directory):
        status = entry.stat(follow_symlinks=False)
        found.append((prefix + entry.name, described(status.st_mode)))
        if stat.S_ISDIR(status.st_mode):
            below = os.open(entry.name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=directory)
            try:
                found += walked(below, f"{prefix}{entry.name}/")
            finally:
                os.close(below)
    return found


def described(mode: int) -> str:
    return {stat.S_IFDIR: "folder", stat.S_IFREG: "file", stat.S_IFLNK: "link"}[stat.S_IFMT(mode)]


def hold(profile: settings) -> None:
    run_state_machine_as_test(FileModel, settings=settings(profile, stateful_step_count=40))


def test_files_are_like_real_ones_for_a_while() -> None:
    hold(few)


@pytest.mark.hostile
@pytest.mark.timeout(600)
def test_files_are_like_real_ones() -> None:
    hold(many)
