"""Pipes: what goes in comes out, and nobody waits for himself."""

from __future__ import annotations

import stat

import pytest

from rlm_kernel.emscripten import Errno
from rlm_kernel.emscripten.descriptors import O_NONBLOCK
from rlm_kernel.emscripten.files import F_SETFL
from rlm_kernel.emscripten.pipes import CAPACITY
from tests.emscripten.guest import Guest, u32


@pytest.fixture
def guest() -> Guest:
    return Guest()


def pipe(guest: Guest) -> tuple[int, int]:
    room = guest.room(8)
    assert guest.syscall("pipe", room) == 0
    return guest.memory.read_u32(room), guest.memory.read_u32(room + 4)


def poll(guest: Guest, fd: int, events: int) -> int:
    entry = guest.put(u32(fd) + events.to_bytes(4, "little"))
    assert guest.syscall("poll", entry, 1, 0) >= 0
    return guest.memory.read_u32(entry + 4) >> 16


def test_bytes_come_out_as_they_went_in(guest: Guest) -> None:
    reader, writer = pipe(guest)
    assert guest.write(writer, b"first") == 5
    assert guest.write(writer, b"second") == 6
    assert guest.read(reader, 7) == b"firstse"
    assert guest.read(reader, 100) == b"cond"


def test_the_end_comes_when_the_last_writer_is_closed(guest: Guest) -> None:
    reader, writer = pipe(guest)
    copy = guest.syscall("dup", writer)
    guest.write(writer, b"rest")
    guest.call("fd_close", writer)
    assert guest.read(reader, 100) == b"rest"
    with pytest.raises(AssertionError, match=str(-Errno.EDEADLK)):
        guest.read(reader, 1)
    guest.call("fd_close", copy)
    assert guest.read(reader, 1) == b""


def test_what_nobody_reads_cannot_be_written(guest: Guest) -> None:
    reader, writer = pipe(guest)
    guest.call("fd_close", reader)
    assert guest.write(writer, b"x") == -Errno.EPIPE


def test_who_would_wait_for_himself_is_told(guest: Guest) -> None:
    reader, writer = pipe(guest)
    assert guest.write(writer, bytes(CAPACITY + 1)) == CAPACITY
    assert guest.write(writer, b"x") == -Errno.EDEADLK
    guest.syscall("fcntl64", writer, F_SETFL, guest.put(u32(O_NONBLOCK)))
    assert guest.write(writer, b"x") == -Errno.EAGAIN
    assert len(guest.read(reader, 2 * CAPACITY)) == CAPACITY
    with pytest.raises(AssertionError, match=str(-Errno.EDEADLK)):
        guest.read(reader, 1)
    guest.syscall("fcntl64", reader, F_SETFL, guest.put(u32(O_NONBLOCK)))
    with pytest.raises(AssertionError, match=str(-Errno.EAGAIN)):
        guest.read(reader, 1)


def test_each_end_goes_one_way_and_knows_no_offset(guest: Guest) -> None:
    reader, writer = pipe(guest)
    assert guest.write(reader, b"x") == -Errno.EBADF
    with pytest.raises(AssertionError, match=str(-Errno.EBADF)):
        guest.read(writer, 1)
    assert guest.call("fd_seek", reader, 0, 0, guest.room(8)) == Errno.ESPIPE


def test_a_pipe_is_ready_when_something_is_in_it(guest: Guest) -> None:
    reader, writer = pipe(guest)
    assert (poll(guest, reader, 1), poll(guest, writer, 4)) == (0, 4)
    guest.write(writer, b"x")
    assert poll(guest, reader, 1) == 1
    guest.read(reader, 1)
    guest.call("fd_close", writer)
    assert poll(guest, reader, 1) == 1


def test_its_status_says_what_it_is(guest: Guest) -> None:
    reader, _ = pipe(guest)
    status = guest.room(96)
    assert guest.syscall("fstat64", reader, status) == 0
    assert stat.S_ISFIFO(guest.memory.read_u32(status + 4))
    assert guest.call("fd_fdstat_get", reader, guest.room(24)) == 0


def test_no_pipe_is_half_made(guest: Guest) -> None:
    assert guest.syscall("pipe", -4) == -Errno.EFAULT
    reader, _ = pipe(guest)
    while guest.syscall("dup", reader) >= 0:
        pass
    guest.call("fd_close", 1023)
    assert guest.syscall("pipe", guest.room(8)) == -Errno.EMFILE
    assert guest.syscall("dup", reader) == 1023


def test_waiting_for_an_empty_pipe_is_a_wait_that_can_be_interrupted() -> None:
    waits: list[float | None] = []
    guest = Guest(sleep=waits.append)
    reader, _ = pipe(guest)
    assert guest.syscall("poll", guest.put(u32(reader) + u32(1)), 1, -1) == 0
    assert waits == [None]
