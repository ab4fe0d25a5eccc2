"""Immortal objects (PEP 683): CPython neither counts references to them nor ends them."""

from __future__ import annotations

from rlm_kernel.emscripten.errno import Errno, SyscallError
from rlm_kernel.emscripten.memory import GuestMemory

IMMORTAL, IMMORTAL_SINCE = 5 << 28, 1 << 30
"""Reference counts: the one to set, and the least that is immortal, in a 32-bit build. The count is
an object's first word. Source: CPython's `_Py_IMMORTAL_INITIAL_REFCNT` and
`_Py_IMMORTAL_MINIMUM_REFCNT` in `Include/refcount.h`."""


def make_immortal(memory: GuestMemory, listed: int) -> None:
    """Makes objects immortal: at `listed` are their number and their addresses, as u32 each."""
    count = memory.read_u32(listed)
    words = memory.slice(0, memory.size).cast("I")
    for address in memory.slice(listed + 4, 4 * count).cast("I"):
        if address % 4 or address >= memory.size:
            raise SyscallError(Errno.EFAULT)
        if words[address >> 2] < IMMORTAL_SINCE:
            words[address >> 2] = IMMORTAL
