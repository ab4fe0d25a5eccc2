"""Files mapped into the guest's memory. Its growth is tested with the program."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from rlm_kernel.emscripten import Device, Errno, NullDriver, OpenFile
from rlm_kernel.emscripten import descriptors as d
from tests.emscripten.guest import MEMORY_LIMIT, PAGE, Guest
from tests.emscripten.tree import content

READ, WRITE = 1, 2
SHARED, PRIVATE = 1, 2


class Mapping(NamedTuple):
    address: int
    length: int
    prot: int
    flags: int
    fd: int
    offset: int


@pytest.fixture
def file(guest: Guest) -> int:
    fd = guest.open("file", d.O_CREAT | d.O_RDWR)
    guest.write(fd, b"0123456789")
    return fd


def map_file(
    guest: Guest,
    fd: int,
    length: int,
    *,
    prot: int = READ | WRITE,
    flags: int = SHARED,
    offset: int = 0,
) -> Mapping:
    allocated, result = guest.room(4), guest.room(4)
    errno = guest.call("_mmap_js", length, prot, flags, fd, offset, allocated, result)
    assert errno == 0, Errno(-errno)
    assert guest.memory.read_u32(allocated) == 1
    address = guest.memory.read_u32(result)
    assert address % PAGE == 0
    return Mapping(address, length, prot, flags, fd, offset)


def test_a_mapping_has_the_files_bytes_and_zeros_after_them(guest: Guest, file: int) -> None:
    mapping = map_file(guest, file, 16, prot=READ)
    assert guest.memory.read(mapping.address, 16) == b"0123456789" + bytes(6)
    assert guest.memory.read(map_file(guest, file, 4, offset=8).address, 4) == b"89\0\0"


def test_the_guests_old_bytes_are_not_in_a_mapping(guest: Guest, file: int) -> None:
    # Where the allocator goes on is filled with what nobody may see again.
    end = guest.room(8) + 8
    guest.memory.write(end, b"old!" * ((guest.memory.size - end) // 4))
    mapping = map_file(guest, file, 3 * PAGE)
    assert guest.memory.read(mapping.address + 10, 3 * PAGE - 10) == bytes(3 * PAGE - 10)


@pytest.mark.parametrize("name", ["_munmap_js", "_msync_js"])
def test_a_shared_mapping_reaches_the_file_and_leaves_its_length(
    guest: Guest, file: int, name: str
) -> None:
    mapping = map_file(guest, file, 16)
    guest.memory.write(mapping.address, b"abcdefghijklmnop")
    assert guest.call(name, *mapping) == 0
    assert content(guest.files, "file") == "abcdefghij"


def test_a_mapping_of_a_part_reaches_that_part(guest: Guest, file: int) -> None:
    mapping = map_file(guest, file, 3, offset=4)
    guest.memory.write(mapping.address, b"abc")
    assert guest.call("_msync_js", *mapping) == 0
    assert content(guest.files, "file") == "0123abc789"


@pytest.mark.parametrize(("prot", "flags"), [(READ, SHARED), (READ | WRITE, PRIVATE)])
def test_what_is_private_or_only_read_does_not_reach_the_file(
    guest: Guest, file: int, prot: int, flags: int
) -> None:
    mapping = map_file(guest, file, 10, prot=prot, flags=flags)
    guest.memory.write(mapping.address, b"abcdefghij")
    assert guest.call("_munmap_js", *mapping) == 0
    assert content(guest.files, "file") == "0123456789"


def test_a_file_that_was_cut_meanwhile_stays_as_short(guest: Guest, file: int) -> None:
    mapping = map_file(guest, file, 4, offset=6)
    guest.syscall("ftruncate64", file, 3)
    assert guest.call("_munmap_js", *mapping) == 0
    assert content(guest.files, "file") == "012"


def test_a_mapping_needs_the_access_that_it_gives(guest: Guest, file: int) -> None:
    reading, writing = guest.open("file", d.O_RDONLY), guest.open("file", d.O_WRONLY)

    def attempt(fd: int, prot: int, flags: int) -> int:
        errno: int = guest.call("_mmap_js", 10, prot, flags, fd, 0, guest.room(4), guest.room(4))
        return errno

    assert attempt(reading, READ | WRITE, SHARED) == -Errno.EACCES
    assert attempt(writing, READ, SHARED) == -Errno.EACCES
    assert attempt(reading, READ | WRITE, PRIVATE) == 0
    assert attempt(reading, READ, SHARED) == 0


@pytest.mark.parametrize(
    ("length", "offset", "errno"),
    [
        (0, 0, Errno.EINVAL),
        (10, -1, Errno.EINVAL),
        (MEMORY_LIMIT, 0, Errno.ENOMEM),
        (-1, 0, Errno.ENOMEM),
    ],
)
def test_a_mapping_that_cannot_be(
    guest: Guest, file: int, length: int, offset: int, errno: Errno
) -> None:
    result = guest.room(8)
    size = guest.memory.size
    assert guest.call("_mmap_js", length, READ, SHARED, file, offset, result, result + 4) == -errno
    assert guest.memory.read(result, 8) == bytes(8)
    assert guest.memory.size == size


def test_only_a_regular_file_is_mapped(guest: Guest) -> None:
    device = guest.descriptors.add(OpenFile(Device(NullDriver()), d.O_RDWR))
    directory = guest.open("/", d.O_RDONLY)
    for fd, errno in ((device, Errno.ENODEV), (directory, Errno.ENODEV), (99, Errno.EBADF)):
        result = guest.room(8)
        assert guest.call("_mmap_js", 10, READ, PRIVATE, fd, 0, result, result + 4) == -errno
        assert guest.call("_munmap_js", 0, 10, READ, PRIVATE, fd, 0) == -errno


def test_a_mapping_that_lies_about_its_place_is_an_error(guest: Guest, file: int) -> None:
    for address, length in ((-1, 4), (guest.memory.size - 1, 4), (-1, -1)):
        errno = guest.call("_munmap_js", address, length, READ | WRITE, SHARED, file, 0)
        assert errno == -Errno.EFAULT
    assert guest.call("_msync_js", 0, 4, READ | WRITE, SHARED, file, -1) == -Errno.EINVAL
    assert content(guest.files, "file") == "0123456789"
