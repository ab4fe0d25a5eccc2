"""Scattered reads and writes, the environment, clocks and randomness."""

from __future__ import annotations

import os

import pytest

from rlm_kernel.emscripten import Device, Errno, NullDriver, OpenFile, RandomDriver, SyscallError
from rlm_kernel.emscripten import descriptors as d
from rlm_kernel.emscripten.wasi import IOVECS_MAX, RANDOM_PIECE_BYTES
from tests.emscripten.guest import ENVIRONMENT, PAGE, Guest
from tests.emscripten.tree import content

UNTOUCHED = 0xFFFFFFFF


@pytest.fixture
def file(guest: Guest) -> int:
    """The descriptor of a file that contains ten digits, at its start."""
    fd = guest.open("file", d.O_CREAT | d.O_RDWR)
    guest.write(fd, b"0123456789")
    guest.call("fd_seek", fd, 0, 0, guest.room(8))
    return fd


def device(guest: Guest, driver: NullDriver, flags: int = d.O_RDWR) -> int:
    return guest.descriptors.add(OpenFile(Device(driver), flags))


def transfer(
    guest: Guest, name: str, fd: int, *buffers: tuple[int, int], at: int | None = None
) -> int:
    """How many bytes a scattered call moved, or its errno made negative."""
    result = guest.room(4)
    guest.memory.write_u32(result, UNTOUCHED)
    place = [] if at is None else [at]
    errno: int = guest.call(name, fd, guest.iovecs(*buffers), len(buffers), *place, result)
    moved = guest.memory.read_u32(result)
    assert (moved == UNTOUCHED) is (errno != 0)
    return -errno if errno else moved


def test_a_read_fills_one_buffer_after_the_other(guest: Guest, file: int) -> None:
    a, b, c = guest.room(4), guest.room(4), guest.room(4)
    assert transfer(guest, "fd_read", file, (a, 3), (-1, 0), (b, 4), (c, 4)) == 10
    assert [guest.memory.read(x, 4) for x in (a, b, c)] == [b"012\0", b"3456", b"789\0"]
    assert transfer(guest, "fd_read", file, (a, 3)) == 0


def test_a_write_takes_one_buffer_after_the_other(guest: Guest, file: int) -> None:
    assert (
        transfer(guest, "fd_write", file, (guest.put(b"ab"), 2), (0, 0), (guest.put(b"c"), 1)) == 3
    )
    assert content(guest.files, "file") == "abc3456789"


def test_reads_and_writes_at_a_place_leave_the_offset(guest: Guest, file: int) -> None:
    a, b = guest.room(2), guest.room(9)
    assert transfer(guest, "fd_pread", file, (a, 2), (b, 9), at=5) == 5
    assert guest.memory.read(a, 2) + guest.memory.read(b, 3) == b"56789"
    assert transfer(guest, "fd_pwrite", file, (guest.put(b"x"), 1), (guest.put(b"y"), 1), at=9) == 2
    assert guest.read(file, 100) == b"0123456789y"[:9] + b"xy"
    assert transfer(guest, "fd_pread", file, (a, 2), at=-1) == -Errno.EINVAL
    assert transfer(guest, "fd_pwrite", file, (a, 2), at=-1) == -Errno.EINVAL


@pytest.mark.parametrize("name", ["fd_read", "fd_write"])
def test_no_buffer_at_all_moves_nothing_but_is_still_checked(
    guest: Guest, file: int, name: str
) -> None:
    wrong = {"fd_read": d.O_WRONLY, "fd_write": d.O_RDONLY}[name]
    assert transfer(guest, name, file) == transfer(guest, name, file, (-1, 0)) == 0
    assert transfer(guest, name, 99) == -Errno.EBADF
    assert transfer(guest, name, guest.open("file", wrong)) == -Errno.EBADF


@pytest.mark.parametrize("name", ["fd_read", "fd_write"])
def test_a_bad_buffer_anywhere_moves_nothing(guest: Guest, file: int, name: str) -> None:
    good = (guest.put(b"good"), 4)
    for bad in ((-1, 2), (guest.memory.size - 1, 2), (0, -1), (-1, -1)):
        assert transfer(guest, name, file, good, bad) == -Errno.EFAULT
    assert content(guest.files, "file") == "0123456789"
    assert guest.read(file, 1) == b"0"


@pytest.mark.parametrize(
    ("address", "count", "errno"),
    [(-1, 1, Errno.EFAULT), (0, IOVECS_MAX + 1, Errno.EINVAL), (0, -1, Errno.EINVAL)],
)
def test_a_list_of_buffers_that_is_none(
    guest: Guest, file: int, address: int, count: int, errno: Errno
) -> None:
    for name in ("fd_read", "fd_write"):
        assert guest.call(name, file, address, count, guest.room(4)) == errno


def test_buffers_of_more_than_can_be_counted_are_refused(guest: Guest, file: int) -> None:
    assert guest.call("emscripten_resize_heap", 40 * PAGE) == 1
    buffers = [(0, 40 * PAGE)] * 1024
    null = device(guest, NullDriver())
    assert transfer(guest, "fd_write", null, *buffers) == -Errno.EINVAL
    assert transfer(guest, "fd_write", file, *buffers) == -Errno.EINVAL


def test_a_result_that_goes_nowhere_is_a_bad_address(guest: Guest, file: int) -> None:
    iovecs = guest.iovecs((guest.room(2), 2))
    assert guest.call("fd_write", file, iovecs, 1, -1) == Errno.EFAULT
    assert guest.call("fd_seek", file, 0, 0, -1) == Errno.EFAULT
    assert guest.call("clock_time_get", 0, 0, -1) == Errno.EFAULT


def test_what_was_written_before_the_room_ended_counts(guest: Guest, file: int) -> None:
    guest.files.quota.left = 0
    buffer = guest.put(b"x" * 20)
    assert transfer(guest, "fd_write", file, (buffer, 10), (buffer, 20)) == 10
    assert transfer(guest, "fd_write", file, (buffer, 20)) == -Errno.ENOSPC
    assert content(guest.files, "file") == "x" * 10


def test_one_read_of_a_device_fills_one_buffer(guest: Guest) -> None:
    random = device(guest, RandomDriver())
    a, b = guest.room(64), guest.room(64)
    assert transfer(guest, "fd_read", random, (0, 0), (a, 64), (b, 64)) == 64
    assert guest.memory.read(a, 64) != bytes(64)
    assert guest.memory.read(b, 64) == bytes(64)


def test_a_device_that_takes_less_ends_the_write(guest: Guest) -> None:
    class Narrow(NullDriver):
        def write(self, data: bytes) -> int:
            return min(len(data), 3)

    buffer = guest.room(10)
    assert transfer(guest, "fd_write", device(guest, Narrow()), (buffer, 5), (buffer, 5)) == 3


def test_an_interrupted_read_says_so_and_what_was_written_before_counts(guest: Guest) -> None:
    class Interrupted(NullDriver):
        def read(self, length: int) -> bytes:
            raise SyscallError(Errno.EINTR)

        def write(self, data: bytes) -> int:
            if data == b"no":
                raise SyscallError(Errno.EINTR)
            return len(data)

    fd, yes, no = device(guest, Interrupted()), guest.put(b"yes"), guest.put(b"no")
    assert transfer(guest, "fd_read", fd, (yes, 3)) == -Errno.EINTR
    assert transfer(guest, "fd_write", fd, (no, 2), (yes, 3)) == -Errno.EINTR
    assert transfer(guest, "fd_write", fd, (yes, 3), (no, 2)) == 3


def test_a_file_is_written_from_what_it_is_read_into(guest: Guest, file: int) -> None:
    buffer = guest.room(10)
    transfer(guest, "fd_pread", file, (buffer, 10), at=0)
    assert transfer(guest, "fd_pwrite", file, (buffer, 10), (buffer, 10), at=5) == 20
    assert content(guest.files, "file") == "01234" + "0123456789" * 2


def test_seeking_gives_the_new_offset(guest: Guest, file: int) -> None:
    result = guest.room(8)
    assert guest.call("fd_seek", file, -3, 2, result) == 0
    assert guest.memory.read(result, 8) == (7).to_bytes(8, "little")
    assert guest.call("fd_seek", file, -8, 1, result) == Errno.EINVAL
    assert guest.call("fd_seek", file, (1 << 63) - 1, 0, result) == 0
    assert guest.read(file, 10) == b""
    assert guest.write(file, b"x") == -Errno.ENOSPC
    assert guest.call("fd_seek", device(guest, NullDriver()), 0, 0, result) == Errno.ESPIPE


def test_a_descriptor_tells_its_kind_and_whether_it_appends(guest: Guest, file: int) -> None:
    kinds = {}
    for name, fd in {
        "file": file,
        "log": guest.open("file", d.O_WRONLY | d.O_APPEND),
        "dir": guest.open("/", d.O_RDONLY),
        "device": device(guest, NullDriver()),
    }.items():
        result = guest.room(24)
        assert guest.call("fd_fdstat_get", fd, result) == 0
        kinds[name] = tuple(guest.memory.read(result, 3))
    assert kinds == {"file": (4, 0, 0), "log": (4, 0, 1), "dir": (3, 0, 0), "device": (2, 0, 0)}
    assert guest.call("fd_fdstat_get", 99, guest.room(24)) == Errno.EBADF


def test_the_environment_is_what_the_host_gives_and_nothing_of_its_own(guest: Guest) -> None:
    count, size = guest.room(4), guest.room(4)
    assert guest.call("environ_sizes_get", count, size) == 0
    pointers = guest.room(4 * guest.memory.read_u32(count))
    buffer = guest.room(guest.memory.read_u32(size))
    assert guest.call("environ_get", pointers, buffer) == 0
    found = [
        guest.memory.read_cstring(guest.memory.read_u32(pointers + 4 * index), 100).decode()
        for index in range(guest.memory.read_u32(count))
    ]
    assert found == [f"{name}={value}" for name, value in ENVIRONMENT.items()]
    assert guest.call("environ_get", -1, buffer) == Errno.EFAULT
    assert guest.call("environ_get", pointers, -4) == Errno.EFAULT


@pytest.mark.parametrize("clock", [0, 1, 2, 3])
def test_a_clock_goes_on_in_microseconds(guest: Guest, clock: int) -> None:
    result = guest.room(8)
    readings = []
    for _ in range(50):
        assert guest.call("clock_time_get", clock, 0, result) == 0
        readings.append(int.from_bytes(guest.memory.read(result, 8), "little"))
    assert readings == sorted(readings)
    assert [reading % 1000 for reading in readings] == [0] * 50
    assert guest.call("clock_res_get", clock, result) == 0
    assert int.from_bytes(guest.memory.read(result, 8), "little") == 1000


@pytest.mark.parametrize("clock", [-1, 4, 1 << 30])
def test_a_clock_that_there_is_not(guest: Guest, clock: int) -> None:
    assert guest.call("clock_time_get", clock, 0, guest.room(8)) == Errno.EINVAL
    assert guest.call("clock_res_get", clock, guest.room(8)) == Errno.EINVAL


def test_randomness_fills_exactly_what_it_should(guest: Guest) -> None:
    length = RANDOM_PIECE_BYTES + 100
    buffer = guest.room(length + 8)
    assert guest.call("random_get", buffer + 4, length) == 0
    got = guest.memory.read(buffer, length + 8)
    assert got[:4] == got[-4:] == bytes(4)
    assert got[4:36] != bytes(32)
    assert got[-36:-4] != bytes(32)


@pytest.mark.parametrize(("address", "length"), [(-1, 4), (0, -1), (8, 1 << 30)])
def test_randomness_goes_nowhere_but_into_the_guest(
    guest: Guest, address: int, length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(size: int) -> bytes:
        raise AssertionError(f"{size} bytes were made for nothing")

    monkeypatch.setattr(os, "urandom", none)
    assert guest.call("random_get", address, length) == Errno.EFAULT
