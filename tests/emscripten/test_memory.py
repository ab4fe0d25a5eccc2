"""The guest's memory: every access is inside of it, or an error."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import pytest

from rlm_kernel.emscripten import Errno, GuestMemory
from tests.emscripten.failing import fails
from tests.emscripten.guest import PAGE, Guest

SIZE = 64
GUARD = 16

Access = Callable[[GuestMemory, int], object]
ACCESSES: dict[str, tuple[int, Access]] = {
    "slice": (8, lambda memory, address: memory.slice(address, 8)),
    "read": (8, lambda memory, address: memory.read(address, 8)),
    "write": (8, lambda memory, address: memory.write(address, b"x" * 8)),
    "clear": (8, lambda memory, address: memory.clear(address, 8)),
    "read_u32": (4, lambda memory, address: memory.read_u32(address)),
    "write_u32": (4, lambda memory, address: memory.write_u32(address, 0)),
    "write_i64": (8, lambda memory, address: memory.write_i64(address, -1)),
}


@pytest.fixture
def backing() -> ctypes.Array[ctypes.c_ubyte]:
    """Bytes of the host: a memory with bytes before and after it that are not the guest's."""
    return (ctypes.c_ubyte * (GUARD + SIZE + GUARD))(*[0xAA] * (SIZE + 2 * GUARD))


@pytest.fixture
def memory(backing: ctypes.Array[ctypes.c_ubyte]) -> GuestMemory:
    memory = GuestMemory()
    memory.attach(ctypes.addressof(backing) + GUARD, SIZE)
    return memory


@pytest.mark.parametrize("name", ACCESSES)
def test_an_access_may_touch_the_first_and_the_last_byte(memory: GuestMemory, name: str) -> None:
    length, access = ACCESSES[name]
    for address in (0, SIZE - length):
        access(memory, address)


@pytest.mark.parametrize("name", ACCESSES)
def test_an_access_outside_fails_before_a_byte_is_touched(
    memory: GuestMemory, backing: ctypes.Array[ctypes.c_ubyte], name: str
) -> None:
    length, access = ACCESSES[name]
    before = bytes(backing)
    for address in (-1, -length, SIZE - length + 1, SIZE, SIZE + 1, 1 << 32, -(1 << 63)):
        with fails(Errno.EFAULT):
            access(memory, address)
    assert bytes(backing) == before


def test_a_length_below_zero_is_outside(memory: GuestMemory) -> None:
    with fails(Errno.EFAULT):
        memory.slice(8, -1)


def test_nothing_can_be_accessed_anywhere_inside_or_at_the_end(memory: GuestMemory) -> None:
    assert memory.read(0, 0) == b""
    assert memory.read(SIZE, 0) == b""
    with fails(Errno.EFAULT):
        memory.read(SIZE + 1, 0)


def test_a_slice_is_a_window(memory: GuestMemory) -> None:
    memory.slice(4, 4)[:] = b"abcd"
    assert memory.read(3, 6) == b"\xaaabcd\xaa"


def test_numbers_are_little_endian_and_wrap_as_the_guest_does(memory: GuestMemory) -> None:
    memory.write_u32(0, -2)
    assert memory.read(0, 4) == b"\xfe\xff\xff\xff"
    assert memory.read_u32(0) == 0xFFFFFFFE
    memory.write_i64(0, 0x0102)
    assert memory.read(0, 8) == b"\x02\x01" + bytes(6)


def test_a_string_ends_before_its_nul(memory: GuestMemory) -> None:
    memory.write(10, b"name\0rest")
    assert memory.read_cstring(10, 5) == b"name"
    memory.write(SIZE - 1, b"\0")
    assert memory.read_cstring(SIZE - 1, 100) == b""


def test_a_string_whose_nul_is_beyond_the_limit_is_too_long(memory: GuestMemory) -> None:
    memory.write(10, b"name\0rest")
    with fails(Errno.ENAMETOOLONG):
        memory.read_cstring(10, 4)


def test_a_string_that_runs_out_of_the_memory_is_a_bad_address(memory: GuestMemory) -> None:
    memory.write(SIZE - 4, b"name")
    with fails(Errno.EFAULT):
        memory.read_cstring(SIZE - 4, 100)


@pytest.mark.parametrize("address", [-1, SIZE, 0xFFFFFFFF])
def test_a_string_outside_is_a_bad_address(memory: GuestMemory, address: int) -> None:
    with fails(Errno.EFAULT):
        memory.read_cstring(address, 100)


def test_before_it_is_attached_it_has_no_bytes() -> None:
    with fails(Errno.EFAULT):
        GuestMemory().read(0, 1)


def test_growth_moves_the_end(guest: Guest) -> None:
    end = guest.memory.size
    with fails(Errno.EFAULT):
        guest.memory.write(end - 1, b"ab")
    assert guest.call("emscripten_resize_heap", end + PAGE) == 1
    guest.memory.write(end - 1, b"ab")
    assert guest.memory.read(end - 1, 2) == b"ab"
    with fails(Errno.EFAULT):
        guest.memory.read(guest.memory.size, 1)
