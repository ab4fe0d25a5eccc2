"""What a guest is told of a file beside its content, and what it may change of that."""

from __future__ import annotations

import stat
import time
from struct import Struct
from typing import NamedTuple

import pytest

from rlm_kernel.emscripten import Device, Errno, NullDriver
from rlm_kernel.emscripten import descriptors as d
from rlm_kernel.emscripten.locations import AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW
from rlm_kernel.emscripten.metadata import UTIME_NOW, UTIME_OMIT
from tests.emscripten.guest import Guest

STAT = Struct("<6I q 2i qi4x qi4x qi4x Q")
STATFS = Struct("<2I 5Q 2i 3I 20x")
TIMES = Struct("<qi4xqi4x")
SECOND = 1_000_000_000


class Status(NamedTuple):
    device: int
    mode: int
    links: int
    uid: int
    gid: int
    special: int
    size: int
    block_size: int
    blocks: int
    accessed_s: int
    accessed_ns: int
    modified_s: int
    modified_ns: int
    changed_s: int
    changed_ns: int
    number: int


@pytest.fixture
def guest() -> Guest:
    guest = Guest()
    guest.write(guest.open("file", d.O_CREAT | d.O_RDWR), b"x" * 5000)
    guest.syscall("symlinkat", "file", AT_FDCWD, "link")
    guest.syscall("symlinkat", "missing", AT_FDCWD, "dangling")
    guest.syscall("mkdirat", AT_FDCWD, "dir", 0o755)
    return guest


def status(guest: Guest, path: str, flags: int = 0, fd: int = AT_FDCWD) -> Status:
    buffer = guest.room(STAT.size)
    result = guest.syscall("newfstatat", fd, path, buffer, flags)
    assert result == 0, Errno(-result)
    return Status(*STAT.unpack(guest.memory.read(buffer, STAT.size)))


def test_the_structures_have_the_sizes_of_the_c_library() -> None:
    assert (STAT.size, STATFS.size) == (96, 88)


def test_a_files_status_tells_kind_size_and_blocks(guest: Guest) -> None:
    found = status(guest, "file")
    assert stat.filemode(found.mode) == "-rw-r--r--"
    assert (found.size, found.blocks, found.links, found.uid) == (5000, 10, 1, 0)
    assert found.number == guest.files.resolve("file").number


def test_a_directory_and_a_link_and_a_device_are_told_apart(guest: Guest) -> None:
    guest.files.attach(guest.files.root, "null", Device(NullDriver()))
    assert stat.filemode(status(guest, "dir").mode) == "drwxr-xr-x"
    assert stat.S_ISCHR(status(guest, "null").mode)
    link = status(guest, "link", AT_SYMLINK_NOFOLLOW)
    assert (stat.filemode(link.mode), link.size) == ("lrwxrwxrwx", 4)
    assert status(guest, "link") == status(guest, "file")


def test_all_ways_to_ask_for_a_status_agree(guest: Guest) -> None:
    a, b, c = (guest.room(STAT.size) for _ in range(3))
    assert guest.syscall("stat64", "link", a) == 0
    assert guest.syscall("lstat64", "file", b) == 0
    assert guest.syscall("fstat64", 0, c) == 0
    assert len({guest.memory.read(buffer, STAT.size) for buffer in (a, b, c)}) == 1
    assert status(guest, "", AT_EMPTY_PATH, fd=0) == status(guest, "file")
    assert status(guest, "", AT_EMPTY_PATH) == status(guest, "/")


@pytest.mark.parametrize(
    ("path", "flags", "errno"),
    [
        ("missing", 0, Errno.ENOENT),
        ("dangling", 0, Errno.ENOENT),
        ("", 0, Errno.ENOENT),
        ("file/", 0, Errno.ENOTDIR),
        ("link/", AT_SYMLINK_NOFOLLOW, Errno.ENOTDIR),
    ],
)
def test_what_has_no_status_says_why(guest: Guest, path: str, flags: int, errno: Errno) -> None:
    assert guest.syscall("newfstatat", AT_FDCWD, path, guest.room(96), flags) == -errno


def test_a_status_goes_nowhere_but_into_the_guest(guest: Guest) -> None:
    for buffer in (-1, guest.memory.size - 87):
        assert guest.syscall("stat64", "file", buffer) == -Errno.EFAULT
        assert guest.syscall("fstat64", 0, buffer) == -Errno.EFAULT
        assert guest.syscall("statfs64", "file", 88, buffer) == -Errno.EFAULT


def test_the_file_system_tells_its_room(guest: Guest) -> None:
    def free() -> tuple[int, int]:
        buffer = guest.room(STATFS.size)
        assert guest.syscall("statfs64", "/", 88, buffer) == 0
        fields = STATFS.unpack(guest.memory.read(buffer, STATFS.size))
        assert fields[1] == 4096
        assert fields[9] == 255
        return fields[2], fields[3]

    total, before = free()
    assert 0 < before < total
    guest.syscall("ftruncate64", 0, 5000 + 4096 * 10)
    assert free() == (total, before - 10)
    assert guest.syscall("fstatfs64", 0, 88, guest.room(88)) == 0
    assert guest.syscall("fstatfs64", 99, 88, guest.room(88)) == -Errno.EBADF
    assert guest.syscall("statfs64", "missing", 88, guest.room(88)) == -Errno.ENOENT


def test_the_guest_may_do_all_but_run_what_is_not_executable(guest: Guest) -> None:
    guest.syscall("chmod", "file", 0)
    assert guest.syscall("faccessat", AT_FDCWD, "file", 6, 0) == 0
    assert guest.syscall("faccessat", AT_FDCWD, "file", 1, 0) == -Errno.EACCES
    assert guest.syscall("faccessat", AT_FDCWD, "dir", 7, 0) == 0
    assert guest.syscall("faccessat", AT_FDCWD, "dangling", 0, 0) == -Errno.ENOENT
    assert guest.syscall("faccessat", AT_FDCWD, "dangling", 0, AT_SYMLINK_NOFOLLOW) == 0
    assert guest.syscall("faccessat", AT_FDCWD, "file", 8, 0) == -Errno.EINVAL
    guest.syscall("fchmod", 0, 0o100)
    assert guest.syscall("faccessat", AT_FDCWD, "file", 1, 0) == 0


def test_permission_bits_change_and_the_kind_does_not(guest: Guest) -> None:
    guest.syscall("chmod", "link", 0o177777)
    assert status(guest, "file").mode == 0o107777
    guest.syscall("fchmodat2", AT_FDCWD, "link", 0o600, AT_SYMLINK_NOFOLLOW)
    assert status(guest, "link", AT_SYMLINK_NOFOLLOW).mode == 0o120600
    assert status(guest, "file").mode == 0o107777


def test_owners_change_and_minus_one_leaves_them(guest: Guest) -> None:
    assert guest.syscall("fchown32", 0, 1, -1) == 0
    assert guest.syscall("fchownat", AT_FDCWD, "link", -1, -2, 0) == 0
    assert guest.syscall("fchownat", AT_FDCWD, "link", 7, 7, AT_SYMLINK_NOFOLLOW) == 0
    found = status(guest, "file")
    assert (found.uid, found.gid) == (1, 0xFFFFFFFE)


def times_of(guest: Guest, path: str, flags: int = 0) -> tuple[int, int]:
    found = status(guest, path, flags)
    accessed = found.accessed_s * SECOND + found.accessed_ns
    return accessed, found.modified_s * SECOND + found.modified_ns


def set_times(guest: Guest, *fields: int, path: str = "file", flags: int = 0) -> int:
    times = guest.put(TIMES.pack(*fields))
    return guest.syscall("utimensat", AT_FDCWD, path, times, flags)


def test_times_are_set_to_the_nanosecond(guest: Guest) -> None:
    assert set_times(guest, 10, 20, -30, 999_999_999) == 0
    assert times_of(guest, "file") == (10 * SECOND + 20, -30 * SECOND + 999_999_999)


def test_times_are_as_wide_as_the_guests(guest: Guest) -> None:
    assert set_times(guest, (1 << 63) - 1, 999_999_999, -(1 << 63), 0) == 0
    found = status(guest, "file")
    assert (found.accessed_s, found.modified_s) == ((1 << 63) - 1, -(1 << 63))


def test_a_time_may_be_now_or_left_as_it_is(guest: Guest) -> None:
    set_times(guest, 1, 0, 2, 0)
    start = time.time_ns() // 1000 * 1000
    assert set_times(guest, 0, UTIME_NOW, 0, UTIME_OMIT) == 0
    accessed, modified = times_of(guest, "file")
    assert accessed >= start
    assert modified == 2 * SECOND
    assert guest.syscall("utimensat", AT_FDCWD, "file", 0, 0) == 0
    assert min(times_of(guest, "file")) >= start


@pytest.mark.parametrize("nanoseconds", [-1, SECOND, 0x7FFFFFFF])
def test_times_that_are_none_change_nothing(guest: Guest, nanoseconds: int) -> None:
    set_times(guest, 1, 0, 2, 0)
    assert set_times(guest, 5, 0, 5, nanoseconds) == -Errno.EINVAL
    assert guest.syscall("utimensat", AT_FDCWD, "file", -1, 0) == -Errno.EFAULT
    assert times_of(guest, "file") == (SECOND, 2 * SECOND)


def test_times_of_a_descriptor_and_of_a_link_itself(guest: Guest) -> None:
    times = guest.put(TIMES.pack(1, 0, 2, 0))
    assert guest.syscall("utimensat", 0, 0, times, 0) == 0
    assert times_of(guest, "file") == (SECOND, 2 * SECOND)
    assert set_times(guest, 3, 0, 4, 0, path="link", flags=AT_SYMLINK_NOFOLLOW) == 0
    assert times_of(guest, "link", AT_SYMLINK_NOFOLLOW) == (3 * SECOND, 4 * SECOND)
    assert times_of(guest, "file") == (SECOND, 2 * SECOND)
    assert guest.syscall("utimensat", 99, 0, times, 0) == -Errno.EBADF


def test_writing_changes_the_times_that_it_should(guest: Guest) -> None:
    set_times(guest, 1, 0, 1, 0)
    guest.write(0, b"more")
    accessed, modified = times_of(guest, "file")
    assert accessed == SECOND
    assert modified > SECOND
    guest.files.root.modified = 1
    guest.open("new", d.O_CREAT)
    assert guest.files.root.modified > 1


def test_a_rename_and_a_removal_change_the_node(guest: Guest) -> None:
    node = guest.files.resolve("file")
    for name, *arguments in (
        ("renameat", AT_FDCWD, "file", AT_FDCWD, "other"),
        ("fchown32", 0, 5, 5),
        ("unlinkat", AT_FDCWD, "other", 0),
    ):
        node.changed = 0
        assert guest.syscall(str(name), *arguments) == 0
        assert node.changed > 0


def test_the_times_of_files_are_no_finer_than_the_clocks(guest: Guest) -> None:
    for number in range(20):
        guest.open(f"{number}", d.O_CREAT)
        assert guest.files.resolve(f"{number}").modified % 1000 == 0
