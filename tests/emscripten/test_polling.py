"""Waiting for files: what is ready at once, and who is waited for."""

from __future__ import annotations

from struct import Struct

import pytest

from rlm_kernel.emscripten import Device, Errno, NullDriver, OpenFile, SyscallError
from rlm_kernel.emscripten.descriptors import O_RDWR
from rlm_kernel.emscripten.polling import (
    POLLFDS_MAX,
    POLLIN,
    POLLNVAL,
    POLLOUT,
    POLLRDNORM,
    POLLWRNORM,
)
from tests.emscripten.guest import ERRNO, Guest

POLLFD = Struct("<ihh")


class Bell(NullDriver):
    """A device that becomes ready when it is waited for, where `rings`."""

    def __init__(self, rings: bool = True) -> None:
        self.rings = rings
        self.ready = False
        self.waits: list[float | None] = []

    def poll(self, timeout: float | None) -> bool:
        if timeout != 0:
            self.waits.append(timeout)
            self.ready = self.rings
        return self.ready


def poll(guest: Guest, timeout_ms: int, *entries: tuple[int, int]) -> list[int] | Errno:
    """The events found for each entry (descriptor, events wanted), or the errno."""
    address = guest.put(b"".join(POLLFD.pack(fd, events, -1) for fd, events in entries))
    count = guest.syscall("poll", address, len(entries), timeout_ms)
    if count < 0:
        return Errno(-count)
    found = guest.memory.read(address, len(entries) * POLLFD.size)
    events = [ready for _, _, ready in POLLFD.iter_unpack(found)]
    assert count == sum(map(bool, events))
    return events


def with_device(guest: Guest, driver: NullDriver) -> int:
    return guest.descriptors.add(OpenFile(Device(driver), O_RDWR))


def test_a_file_is_ready_for_all_that_is_asked(guest: Guest) -> None:
    fd = guest.open("file", 0o100 | O_RDWR)
    assert poll(guest, -1, (fd, POLLIN), (fd, POLLOUT), (fd, POLLIN | POLLOUT | 2)) == [1, 4, 5]
    assert poll(guest, -1, (fd, POLLRDNORM | POLLWRNORM)) == [POLLRDNORM | POLLWRNORM]


def test_a_closed_descriptor_is_invalid_and_a_negative_one_is_passed_over(guest: Guest) -> None:
    assert poll(guest, -1, (99, POLLIN), (-1, POLLIN)) == [POLLNVAL, 0]


def test_a_device_is_waited_for(guest: Guest) -> None:
    bell = Bell()
    assert poll(guest, 1500, (with_device(guest, bell), POLLIN)) == [POLLIN]
    assert bell.waits == [1.5]


def test_a_wait_without_a_limit_has_none(guest: Guest) -> None:
    bell = Bell()
    assert poll(guest, -1, (with_device(guest, bell), POLLRDNORM)) == [POLLRDNORM]
    assert bell.waits == [None]


def test_nothing_is_waited_for_where_something_is_ready_or_no_time_given(guest: Guest) -> None:
    bell = Bell()
    fd = with_device(guest, bell)
    assert poll(guest, 0, (fd, POLLIN)) == [0]
    assert poll(guest, -1, (fd, POLLIN | POLLOUT)) == [POLLOUT]
    assert poll(guest, -1, (fd, POLLIN), (99, POLLIN)) == [0, POLLNVAL]
    assert bell.waits == []


def test_a_wait_that_ends_with_nothing_finds_nothing(guest: Guest) -> None:
    assert poll(guest, 10, (with_device(guest, Bell(rings=False)), POLLIN)) == [0]


def test_with_nothing_to_wait_for_time_passes() -> None:
    slept: list[float | None] = []
    guest = Guest(sleep=slept.append)
    assert poll(guest, 250) == []
    assert poll(guest, 250, (-1, POLLIN), (-5, 0)) == [0, 0]
    assert poll(guest, 0) == []
    assert slept == [0.25, 0.25]


def test_an_interrupted_wait_says_so() -> None:
    def interrupted(seconds: float | None) -> None:
        raise SyscallError(Errno.EINTR)

    guest = Guest(sleep=interrupted)
    assert poll(guest, -1) is Errno.EINTR
    assert guest.memory.read_u32(ERRNO) == Errno.EINTR


def test_the_c_variable_is_only_written_by_an_error(guest: Guest) -> None:
    assert poll(guest, 0) == []
    assert guest.memory.read_u32(ERRNO) == 0
    assert guest.syscall("poll", -1, 1, 0) == -Errno.EFAULT
    assert guest.memory.read_u32(ERRNO) == Errno.EFAULT


@pytest.mark.parametrize(
    ("count", "errno"),
    [(POLLFDS_MAX + 1, Errno.EINVAL), (-1, Errno.EINVAL), (POLLFDS_MAX, Errno.EFAULT)],
)
def test_more_entries_than_there_can_be_are_refused(guest: Guest, count: int, errno: Errno) -> None:
    assert guest.syscall("poll", guest.memory.size - 8, count, 0) == -errno
