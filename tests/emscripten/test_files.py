"""The system calls on files, called as a guest calls them."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

import pytest

from rlm_kernel.emscripten import Device, Errno, NullDriver, OpenFile, expect_directory
from rlm_kernel.emscripten import descriptors as d
from rlm_kernel.emscripten.files import (
    AT_REMOVEDIR,
    F_DUPFD,
    F_GETFD,
    F_GETFL,
    F_GETLK,
    F_SETFD,
    F_SETFL,
    F_SETLK,
)
from rlm_kernel.emscripten.filesystem import PATH_MAX
from rlm_kernel.emscripten.locations import AT_FDCWD
from rlm_kernel.emscripten.stat import DIRENT_BYTES
from tests.emscripten.guest import Guest, u32
from tests.emscripten.tree import content, listing

DIRENT_HEAD = Struct("<QqHB")
DT_DIR, DT_REG, DT_LNK = 4, 8, 10


def entries(guest: Guest, fd: int, room: int = 7) -> Iterator[tuple[str, int, int]]:
    """Name, kind and position of every record that getdents64 gives, `room` at a time."""
    buffer = guest.room(room * DIRENT_BYTES)
    while count := guest.syscall("getdents64", fd, buffer, room * DIRENT_BYTES):
        assert 0 < count <= room * DIRENT_BYTES, count
        for start in range(buffer, buffer + count, DIRENT_BYTES):
            _, position, length, kind = DIRENT_HEAD.unpack(
                guest.memory.read(start, DIRENT_HEAD.size)
            )
            assert length == DIRENT_BYTES
            yield guest.memory.read_cstring(start + 19, 256).decode(), kind, position


def test_a_file_is_written_and_read_back(guest: Guest) -> None:
    fd = guest.open("file", d.O_RDWR | d.O_CREAT)
    assert fd == 0
    assert guest.write(fd, b"hello world") == 11
    assert guest.call("fd_seek", fd, 6, 0, guest.room(8)) == 0
    assert guest.read(fd, 100) == b"world"
    assert guest.call("fd_close", fd) == 0
    assert guest.call("fd_close", fd) == Errno.EBADF


def test_a_name_of_any_bytes_survives(guest: Guest) -> None:
    guest.open(b"\xff\xed\xa0\x80name", d.O_CREAT)
    assert guest.open(b"\xff\xed\xa0\x80name", d.O_RDONLY) == 1
    root = guest.open("/", d.O_RDONLY)
    buffer = guest.room(3 * DIRENT_BYTES)
    guest.syscall("getdents64", root, buffer, 3 * DIRENT_BYTES)
    name = guest.memory.read_cstring(buffer + 2 * DIRENT_BYTES + 19, 256)
    assert name == b"\xff\xed\xa0\x80name"


@pytest.mark.parametrize(
    ("path", "flags", "errno"),
    [
        ("missing", d.O_RDONLY, Errno.ENOENT),
        ("", d.O_RDONLY, Errno.ENOENT),
        ("", d.O_CREAT, Errno.ENOENT),
        ("missing/x", d.O_CREAT, Errno.ENOENT),
        ("new/", d.O_CREAT, Errno.EISDIR),
        ("file/", d.O_CREAT, Errno.EISDIR),
        ("dir/", d.O_CREAT | d.O_EXCL, Errno.EISDIR),
        ("/", d.O_CREAT, Errno.EISDIR),
        ("missing/x/", d.O_CREAT, Errno.ENOENT),
        ("file", d.O_CREAT | d.O_EXCL, Errno.EEXIST),
        ("dangling", d.O_CREAT | d.O_EXCL, Errno.EEXIST),
        ("dangling", d.O_RDONLY, Errno.ENOENT),
        ("dangling", d.O_CREAT | d.O_NOFOLLOW, Errno.ELOOP),
        ("link", d.O_NOFOLLOW, Errno.ELOOP),
        ("loop", d.O_CREAT, Errno.ELOOP),
        ("dir", d.O_WRONLY, Errno.EISDIR),
        ("dir", d.O_RDWR, Errno.EISDIR),
        ("dir", d.O_CREAT, Errno.EISDIR),
        ("file", d.O_DIRECTORY, Errno.ENOTDIR),
        ("file/", d.O_RDONLY, Errno.ENOTDIR),
        ("file/x", d.O_CREAT, Errno.ENOTDIR),
        ("new", d.O_CREAT | d.O_DIRECTORY, Errno.EINVAL),
        ("x" * 256, d.O_CREAT, Errno.ENAMETOOLONG),
        ("x/" * (PATH_MAX // 2), d.O_RDONLY, Errno.ENAMETOOLONG),
    ],
)
def test_an_open_that_fails_makes_nothing(
    guest: Guest, path: str, flags: int, errno: Errno
) -> None:
    guest.open("file", d.O_CREAT)
    guest.syscall("mkdirat", AT_FDCWD, "dir", 0o755)
    for target, name in (("file", "link"), ("nowhere", "dangling"), ("loop", "loop")):
        guest.syscall("symlinkat", target, AT_FDCWD, name)
    before = listing(guest.files)
    assert guest.open(path, flags) == -errno
    assert listing(guest.files) == before


def test_a_link_to_nothing_is_created_through(guest: Guest) -> None:
    guest.syscall("symlinkat", "made", AT_FDCWD, "dangling")
    assert guest.open("dangling", d.O_CREAT) == 0
    assert listing(guest.files) == ["dangling -> made", "made"]


def test_truncation_needs_the_right_to_write(guest: Guest) -> None:
    guest.write(guest.open("file", d.O_CREAT | d.O_WRONLY), b"abc")
    guest.open("file", d.O_RDONLY | d.O_TRUNC)
    assert content(guest.files, "file") == "abc"
    guest.open("file", d.O_WRONLY | d.O_TRUNC)
    assert content(guest.files, "file") == ""


def test_a_full_table_neither_creates_nor_truncates(guest: Guest) -> None:
    guest.write(guest.open("file", d.O_CREAT | d.O_WRONLY), b"abc")
    while (fd := guest.open("file", d.O_RDONLY)) >= 0:
        assert fd < 2000
    assert fd == -Errno.EMFILE
    assert guest.open("file", d.O_WRONLY | d.O_TRUNC) == -Errno.EMFILE
    assert guest.open("new", d.O_CREAT) == -Errno.EMFILE
    assert guest.syscall("dup", 0) == -Errno.EMFILE
    assert listing(guest.files) == ["file"]
    assert content(guest.files, "file") == "abc"


def test_a_deleted_file_stays_usable_while_it_is_open(guest: Guest) -> None:
    room = guest.files.quota.left
    fd = guest.open("file", d.O_CREAT | d.O_RDWR)
    guest.write(fd, b"x" * 1000)
    assert guest.syscall("unlinkat", AT_FDCWD, "file", 0) == 0
    assert guest.open("file", d.O_RDONLY) == -Errno.ENOENT
    guest.write(fd, b"more")
    guest.call("fd_seek", fd, 998, 0, guest.room(8))
    assert guest.read(fd, 100) == b"xxmore"
    guest.call("fd_close", fd)
    assert guest.files.quota.left == room


def test_permissions_come_without_what_the_mask_takes(guest: Guest) -> None:
    assert guest.syscall("umask_js", 0o077) == 0o022
    guest.open("file", d.O_CREAT, 0o666)
    guest.syscall("mkdirat", AT_FDCWD, "dir", 0o777)
    guest.syscall("mknodat", AT_FDCWD, "node", 0o100644, 0)
    modes = {name: oct(node.mode) for name, node in guest.files.root.entries.items()}
    assert modes == {"file": "0o100600", "dir": "0o40700", "node": "0o100600"}
    assert guest.syscall("umask_js", -1) == 0o077
    assert guest.syscall("umask_js", 0) == 0o777


def test_only_regular_files_are_made_as_nodes(guest: Guest) -> None:
    for kind in (0o010000, 0o020000, 0o060000, 0o040000):
        assert guest.syscall("mknodat", AT_FDCWD, "node", kind, 0) == -Errno.EPERM


def test_paths_start_at_a_directorys_descriptor(guest: Guest) -> None:
    guest.syscall("mkdirat", AT_FDCWD, "dir", 0o755)
    fd = guest.open("dir", d.O_RDONLY | d.O_DIRECTORY)
    assert guest.syscall("mkdirat", fd, "sub", 0o755) == 0
    assert guest.syscall("symlinkat", "sub", fd, "link") == 0
    assert guest.syscall("openat", fd, "file", d.O_CREAT, guest.put(u32(0o644))) == 1
    assert guest.syscall("renameat", fd, "file", AT_FDCWD, "moved") == 0
    assert guest.syscall("renameat", AT_FDCWD, "moved", fd, "sub/back") == 0
    assert listing(guest.files) == ["dir/", "dir/link -> sub", "dir/sub/", "dir/sub/back"]
    assert guest.syscall("unlinkat", fd, "sub/back", 0) == 0
    assert guest.syscall("unlinkat", fd, "sub", AT_REMOVEDIR) == 0


def test_the_descriptor_of_an_absolute_path_does_not_matter(guest: Guest) -> None:
    assert guest.syscall("mkdirat", -1, "/dir", 0o755) == 0
    assert guest.syscall("symlinkat", "x", 99, "/link") == 0
    assert guest.syscall("mknodat", 99, "/dir/node", 0, 0) == 0
    assert guest.syscall("renameat", 99, "/dir/node", 99, "/node") == 0
    assert guest.syscall("openat", 99, "/node", 0, 0) == 0
    assert guest.syscall("unlinkat", 99, "/dir", AT_REMOVEDIR) == 0
    assert listing(guest.files) == ["link -> x", "node"]


@pytest.mark.parametrize("fd", [99, -1])
def test_a_bad_descriptor_of_a_relative_path_is_an_error(guest: Guest, fd: int) -> None:
    assert guest.syscall("mkdirat", fd, "dir", 0o755) == -Errno.EBADF
    assert guest.syscall("openat", fd, "file", d.O_CREAT, guest.room(4)) == -Errno.EBADF
    assert guest.syscall("unlinkat", fd, "dir", 0) == -Errno.EBADF


def test_a_files_descriptor_is_no_place_to_start(guest: Guest) -> None:
    fd = guest.open("file", d.O_CREAT)
    assert guest.syscall("mkdirat", fd, "dir", 0o755) == -Errno.ENOTDIR


def test_a_link_is_read_up_to_the_room_there_is(guest: Guest) -> None:
    guest.syscall("symlinkat", "target", AT_FDCWD, "link")
    buffer = guest.room(10)
    assert guest.syscall("readlinkat", AT_FDCWD, "link", buffer, 3) == 3
    assert guest.memory.read(buffer, 10) == b"tar" + bytes(7)
    assert guest.syscall("readlinkat", AT_FDCWD, "link", buffer, 10) == 6
    assert guest.syscall("readlinkat", AT_FDCWD, "link", buffer, 0) == -Errno.EINVAL
    assert guest.syscall("readlinkat", AT_FDCWD, "/", buffer, 10) == -Errno.EINVAL
    assert guest.syscall("readlinkat", AT_FDCWD, "link", -1, 10) == -Errno.EFAULT


@pytest.mark.parametrize("room", [1, 2, 7, 100])
def test_a_directory_is_listed_in_parts_of_any_size(guest: Guest, room: int) -> None:
    guest.syscall("mkdirat", AT_FDCWD, "dir", 0o755)
    guest.syscall("symlinkat", "x", AT_FDCWD, "link")
    guest.open("n" * 255, d.O_CREAT)
    found = list(entries(guest, guest.open("/", d.O_RDONLY), room))
    assert [(name, kind) for name, kind, _ in found] == [
        (".", DT_DIR),
        ("..", DT_DIR),
        ("dir", DT_DIR),
        ("link", DT_LNK),
        ("n" * 255, DT_REG),
    ]


def test_a_listing_goes_on_from_where_the_guest_seeks_to(guest: Guest) -> None:
    for name in "abc":
        guest.open(name, d.O_CREAT)
    fd = guest.open("/", d.O_RDONLY)
    found = list(entries(guest, fd))
    assert [name for name, _, _ in entries(guest, fd)] == []
    position = found[2][2]
    guest.call("fd_seek", fd, position, 0, guest.room(8))
    assert [name for name, _, _ in entries(guest, fd)] == ["b", "c"]
    guest.call("fd_seek", fd, 0, 0, guest.room(8))
    assert len(list(entries(guest, fd))) == 5


def test_removing_what_was_listed_hides_nothing_else(guest: Guest) -> None:
    for number in range(30):
        guest.open(f"{number}", d.O_CREAT)
        guest.call("fd_close", 0)
    for name, kind, _ in entries(guest, guest.open("/", d.O_RDONLY), room=4):
        if kind == DT_REG:
            assert guest.syscall("unlinkat", AT_FDCWD, name, 0) == 0
    assert listing(guest.files) == []


def test_only_a_directory_is_listed_and_only_into_enough_room(guest: Guest) -> None:
    file, root = guest.open("file", d.O_CREAT), guest.open("/", d.O_RDONLY)
    buffer = guest.room(DIRENT_BYTES)
    assert guest.syscall("getdents64", file, buffer, DIRENT_BYTES) == -Errno.ENOTDIR
    assert guest.syscall("getdents64", root, buffer, DIRENT_BYTES - 1) == -Errno.EINVAL
    assert guest.syscall("getdents64", root, -1, -1) == -Errno.EFAULT
    assert [name for name, _, _ in entries(guest, root)] == [".", "..", "file"]


def test_files_are_cut_and_lengthened(guest: Guest) -> None:
    fd = guest.open("file", d.O_CREAT | d.O_RDWR)
    guest.write(fd, b"abcdef")
    assert guest.syscall("ftruncate64", fd, 2) == 0
    assert guest.syscall("truncate64", "file", 4) == 0
    assert guest.syscall("fallocate", fd, 0, 0, 6) == 0
    assert content(guest.files, "file") == "ab\0\0\0\0"
    assert guest.syscall("fallocate", fd, 1, 0, 6) == -Errno.EOPNOTSUPP
    assert guest.syscall("fallocate", fd, 0, 0, 1 << 62) == -Errno.ENOSPC
    assert guest.syscall("truncate64", "file", -1) == -Errno.EINVAL
    assert guest.syscall("truncate64", "file", (1 << 63) - 1) == -Errno.ENOSPC
    assert guest.syscall("truncate64", "/", 0) == -Errno.EISDIR
    assert guest.syscall("ftruncate64", 99, 0) == -Errno.EBADF


def test_there_is_nothing_to_do_for_advice_and_synchronisation(guest: Guest) -> None:
    fd = guest.open("file", d.O_CREAT)
    assert guest.syscall("fadvise64", fd, 0, 0, 0) == 0
    assert guest.syscall("fdatasync", fd) == guest.call("fd_sync", fd) == 0
    assert guest.syscall("fadvise64", 99, 0, 0, 0) == guest.syscall("fdatasync", 99)
    assert guest.syscall("fdatasync", 99) == -Errno.EBADF
    assert guest.call("fd_sync", 99) == Errno.EBADF


def test_duplicates_share_the_offset(guest: Guest) -> None:
    fd = guest.open("file", d.O_CREAT | d.O_RDWR)
    guest.write(fd, b"0123456789")
    copy = guest.syscall("dup", fd)
    assert guest.syscall("dup3", fd, 9, 0) == 9
    guest.call("fd_seek", copy, 4, 0, guest.room(8))
    assert (guest.read(fd, 2), guest.read(9, 2)) == (b"45", b"67")
    assert guest.syscall("dup3", fd, fd, 0) == -Errno.EINVAL
    assert guest.syscall("dup3", 99, 1, 0) == -Errno.EBADF
    assert guest.syscall("dup3", fd, -1, 0) == -Errno.EBADF
    assert guest.syscall("dup3", fd, 1 << 30, 0) == -Errno.EBADF


def test_a_descriptor_is_controlled(guest: Guest) -> None:
    fd = guest.open("file", d.O_CREAT | d.O_RDWR | d.O_CLOEXEC | d.O_TRUNC)

    def control(command: int, argument: int = 0) -> int:
        return guest.syscall("fcntl64", fd, command, guest.put(u32(argument)))

    assert control(F_GETFL) == d.O_RDWR
    assert control(F_SETFL, d.O_APPEND | d.O_WRONLY) == 0
    assert control(F_GETFL) == d.O_RDWR | d.O_APPEND
    assert control(F_SETFL) == 0
    assert control(F_GETFL) == d.O_RDWR
    assert control(F_DUPFD, 5) == 5
    assert control(F_DUPFD, -1) == -Errno.EINVAL
    assert control(F_SETLK) == 0
    assert (control(F_GETFD), control(F_SETFD), control(F_GETFD)) == (1, 0, 0)
    assert (control(F_SETFD, 1), control(F_GETFD)) == (0, 1)
    assert control(99) == -Errno.EINVAL
    lock = guest.put(b"\1\0")
    assert control(F_GETLK, lock) == 0
    assert guest.memory.read(lock, 2) == b"\2\0"
    assert guest.syscall("fcntl64", 99, F_GETFL, 0) == -Errno.EBADF


def test_only_a_device_takes_requests(guest: Guest) -> None:
    class Echo(NullDriver):
        def control(self, request: int, argument: int) -> int:
            return request + argument

    fd = guest.open("file", d.O_CREAT)
    device = guest.descriptors.add(OpenFile(Device(Echo()), d.O_RDWR))
    assert guest.syscall("ioctl", fd, 1, guest.put(u32(2))) == -Errno.ENOTTY
    assert guest.syscall("ioctl", device, 1, guest.put(u32(2))) == 3
    assert guest.syscall("ioctl", device, 1, -1) == -Errno.EFAULT


def test_the_current_directory_is_where_paths_start(guest: Guest) -> None:
    guest.files.make_directories("/a/b")
    buffer = guest.room(10)
    assert guest.syscall("chdir", "a") == 0
    assert guest.syscall("chdir", "b") == 0
    assert guest.syscall("getcwd", buffer, 10) == 5
    assert guest.memory.read_cstring(buffer, 10) == b"/a/b"
    guest.open("file", d.O_CREAT)
    assert guest.files.exists("/a/b/file")
    assert guest.syscall("fchdir", guest.open("..", d.O_RDONLY)) == 0
    assert guest.syscall("getcwd", buffer, 10) == 3
    assert guest.syscall("getcwd", buffer, 2) == -Errno.ERANGE
    assert guest.syscall("getcwd", buffer, 0) == -Errno.EINVAL
    assert guest.syscall("getcwd", -1, 10) == -Errno.EFAULT
    assert guest.syscall("chdir", "b/file") == -Errno.ENOTDIR
    assert guest.syscall("chdir", "missing") == -Errno.ENOENT
    assert guest.syscall("fchdir", 0) == -Errno.ENOTDIR


def test_a_current_directory_that_was_removed_has_no_path(guest: Guest) -> None:
    guest.files.make_directories("/gone")
    guest.syscall("chdir", "gone")
    assert guest.syscall("rmdir", "/gone") == 0
    assert guest.syscall("getcwd", guest.room(10), 10) == -Errno.ENOENT
    assert guest.open("file", d.O_CREAT) == -Errno.ENOENT
    assert guest.open("/file", d.O_CREAT) == 0
    assert guest.syscall("chdir", "/") == 0


def test_the_host_sets_the_current_directory_too(guest: Guest) -> None:
    home = guest.files.make_directories("/home/user")
    guest.program.files.chdir_to("/home/user")
    guest.open("file", d.O_CREAT)
    assert "file" in expect_directory(home).entries
