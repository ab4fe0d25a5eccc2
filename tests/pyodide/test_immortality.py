"""Immortal objects: what is written where, and what is refused."""

from __future__ import annotations

import ctypes
from struct import pack, unpack_from

import pytest

from rlm_kernel.emscripten.errno import Errno, SyscallError
from rlm_kernel.emscripten.memory import GuestMemory
from rlm_kernel.pyodide.immortality import IMMORTAL, make_immortal

LIST = 64


def memory_with(content: bytes) -> GuestMemory:
    buffer = (ctypes.c_ubyte * 128).from_buffer_copy(content.ljust(128, b"\0"))
    memory = GuestMemory()
    memory.attach(ctypes.addressof(buffer), len(buffer))
    memory.keepalive = buffer  # type: ignore[attr-defined]
    return memory


def refused(*listed: int) -> bool:
    content = bytes(LIST) + pack(f"<{len(listed)}I", *listed)
    with pytest.raises(SyscallError) as caught:
        make_immortal(memory_with(content), LIST)
    return caught.value.errno is Errno.EFAULT


def test_the_counts_of_the_listed_objects_alone_are_set() -> None:
    memory = memory_with(pack("<4I", 1, 2, 3, 4).ljust(LIST, b"\0") + pack("<3I", 2, 4, 12))
    make_immortal(memory, LIST)
    assert unpack_from("<4I", memory.read(0, 16)) == (1, IMMORTAL, 3, IMMORTAL)


def test_an_object_that_is_immortal_already_stays_as_it_is() -> None:
    static = 7 << 28
    memory = memory_with(pack("<I", static).ljust(LIST, b"\0") + pack("<2I", 1, 0))
    make_immortal(memory, LIST)
    assert memory.read_u32(0) == static


def test_addresses_that_cannot_be_objects_are_refused() -> None:
    assert refused(1, 128)
    assert refused(1, 0xFFFFFFFC)
    assert refused(1, 2)


def test_a_list_that_leaves_the_memory_is_refused() -> None:
    assert refused(1 << 30)
    with pytest.raises(SyscallError):
        make_immortal(memory_with(b""), 126)
