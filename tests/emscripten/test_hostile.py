"""Arguments that mean harm: the guest gets an error, the host neither traps nor swells."""

from __future__ import annotations

import itertools
import random
import tracemalloc
from collections.abc import Iterator

import pytest

from rlm_kernel.emscripten import Device, Errno, NullDriver, OpenFile
from rlm_kernel.emscripten import descriptors as d
from rlm_kernel.emscripten.imports import WASI, GuestExit, Import
from tests.emscripten.guest import IMPORTS, Guest, u32

ROUNDS = 150
HOST_BYTES_MAX = 24 << 20
"""What one call may take of the host's memory: a few copies of all the guest's, which is 4 MiB."""

TRAPPING = {"__call_sighandler"}
"""Functions of the guest that the guest has called may trap."""

ENDS = {"exit", "proc_exit", "_abort_js", "__assert_fail"}
CALLS = [declared for declared in IMPORTS if declared.name not in ENDS | TRAPPING]

WORDS = (
    *(0, 1, 2, 3, 4, 5, 7, 8, 9, 100, 255, 256, 1024, 1025, 4096, 0o100, 0o1101, 0o200000),
    *(-1, -2, -8, -100, -256, 0x7FFFFFFF, -0x80000000, 0x7FFFFFF8, 65536, 1 << 20, (1 << 20) - 4),
)
LONGS = (0, 1, -1, 9, 1 << 31, -(1 << 31), 1 << 32, (1 << 63) - 1, -(1 << 63), 10**18)


@pytest.fixture
def guest() -> Guest:
    """A guest with files, open descriptors of every kind, little room, and strings to point to."""
    guest = Guest(sleep=lambda seconds: None)
    guest.files.make_directories("/a/b")
    fd = guest.open("/a/file", d.O_CREAT | d.O_RDWR)
    guest.write(fd, b"0123456789" * 100)
    guest.open("/a", d.O_RDONLY)
    guest.descriptors.add(OpenFile(Device(NullDriver()), d.O_RDWR))
    guest.syscall("symlinkat", "loop", -100, "/loop")
    guest.files.quota.left = 1 << 20
    return guest


def addresses(guest: Guest) -> list[int]:
    """Places that hold something: paths, buffers, lists of buffers that are wild, no end."""
    end = guest.memory.size
    guest.memory.write(end - 16, b"x" * 16)
    wild = [(-1, 1), (0, -1), (end - 1, 2), (0, 1 << 20), (8, 8), (-8, 16), (end, 0)]
    return [
        guest.put(b"/a/file\0"),
        guest.put(b"/a\0"),
        guest.put(b"/loop/x\0"),
        guest.put(b"\xff" * 300 + b"\0"),
        guest.put(b"/x" * 3000),
        guest.iovecs(*wild),
        guest.iovecs(*itertools.repeat((0, 1 << 20), 1024)),
        guest.put(u32(-1) * 16),
        guest.room(4096),
        end - 16,
        end - 1,
    ]


def arguments(rng: random.Random, declared: Import, places: list[int]) -> Iterator[int | float]:
    for code in declared.signature.parameters:
        if code == "q":
            yield rng.choice(LONGS)
        elif code == "d":
            yield rng.choice((0.0, -1.5, float("nan"), float("inf")))
        elif code == "I" and rng.random() < 0.6:
            yield rng.choice(places)
        else:
            yield rng.choice(WORDS)


@pytest.mark.parametrize("declared", CALLS, ids=lambda declared: declared.name)
def test_no_argument_makes_a_call_trap_or_fail_in_the_host(
    guest: Guest, declared: Import, caplog: pytest.LogCaptureFixture
) -> None:
    rng = random.Random(declared.name)
    places = addresses(guest)
    known = set(map(int, Errno))
    for _ in range(ROUNDS):
        chosen = list(arguments(rng, declared, places))
        result = guest.call(declared.name, *chosen)
        if declared.module == WASI:
            assert result == 0 or result in known, chosen
        elif declared.name.startswith("__syscall"):
            assert result >= 0 or -result in known, chosen
    assert caplog.text == "", "a host function raised what is no errno"
    assert guest.files.quota.left <= guest.files.quota.limit


@pytest.mark.parametrize("name", sorted(ENDS))
def test_whatever_its_arguments_an_end_is_an_end(name: str) -> None:
    [declared] = [declared for declared in IMPORTS if declared.name == name]
    for word in WORDS:
        with pytest.raises(GuestExit):
            Guest().call(name, *[word] * len(declared.signature.parameters))


def test_no_call_takes_more_of_the_hosts_memory_than_the_guests_own(guest: Guest) -> None:
    guest.files.quota.left = 1 << 20
    everything = guest.iovecs(*itertools.repeat((0, 1 << 20), 1024))
    result = guest.room(8)
    tracemalloc.start()
    try:
        for fd, name in itertools.product((0, 1, 2), ("fd_read", "fd_write")):
            guest.call(name, fd, everything, 1024, result)
        guest.call("fd_pwrite", 0, everything, 1024, (1 << 62), result)
        guest.call("random_get", 0, 1 << 20)
        guest.call("random_get", 0, -1)
        guest.call("_mmap_js", -1, 1, 2, 0, 0, result, result + 4)
        guest.syscall("getdents64", 1, 0, -1)
        guest.syscall("readlinkat", -100, "/loop", 0, -1)
        guest.syscall("getcwd", 0, -1)
        guest.syscall("poll", 0, 1024, 0)
        guest.syscall("ftruncate64", 0, 1 << 62)
        guest.syscall("fallocate", 0, 0, 1 << 40, 1 << 62)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < HOST_BYTES_MAX


def test_a_guest_that_only_makes_names_runs_out_of_room(guest: Guest) -> None:
    target = "x" * 4000
    results = [guest.syscall("symlinkat", target, -100, f"/{n}") for n in range(300)]
    assert results[0] == 0
    assert results[-1] == -Errno.ENOSPC


def test_a_path_without_an_end_is_a_path_too_long_or_a_bad_address(guest: Guest) -> None:
    endless = guest.room(8192)
    guest.memory.write(endless, b"/" * 8192)
    guest.memory.write(guest.memory.size - 100, b"/" * 100)
    for name in ("stat64", "lstat64"):
        assert guest.syscall(name, endless, guest.room(96)) == -Errno.ENAMETOOLONG
        edge = guest.memory.size - 100
        assert guest.syscall(name, edge, guest.room(96)) == -Errno.EFAULT


def test_links_that_multiply_end_soon(guest: Guest) -> None:
    for number in range(60):
        target = f"/{number + 1}/.." * 200
        guest.syscall("symlinkat", target, -100, f"/{number}")
    assert guest.open("/0", d.O_RDONLY) == -Errno.ELOOP
