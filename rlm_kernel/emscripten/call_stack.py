"""The part of the guest's stack that C keeps in linear memory; it grows downwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import wasmtime

from rlm_kernel.emscripten.errno import Errno, SyscallError

ALIGNMENT = 16
"""Of the stack pointer at every call; source: WebAssembly's `BasicCABI.md`."""


class CallStack:
    """Room for what the host passes to the guest by address."""

    def __init__(self, store: wasmtime.Store) -> None:
        self._store = store
        self._pointer: wasmtime.Global | None = None
        self._end = 0

    def attach(self, pointer: wasmtime.Global, end: int) -> None:
        """The stack's top is kept in `pointer` and must stay above the address `end`."""
        self._pointer = pointer
        self._end = end

    @contextmanager
    def frame(self) -> Iterator[Frame]:
        """Room that is free again afterwards."""
        assert self._pointer is not None, "attached before the guest runs"
        top = int(self._pointer.value(self._store)) & 0xFFFFFFFF
        try:
            yield Frame(self._pointer, self._store, top, self._end)
        finally:
            self._pointer.set_value(self._store, wasmtime.Val.i32(_signed(top)))


class Frame:
    """What is taken of the stack by one call."""

    def __init__(self, pointer: wasmtime.Global, store: wasmtime.Store, top: int, end: int) -> None:
        self._pointer = pointer
        self._store = store
        self._top = top
        self._end = end

    def take(self, size: int, alignment: int = ALIGNMENT) -> int:
        """The address of that much room; ENOMEM where the stack has less."""
        top = (self._top - size) & -max(alignment, 1)
        if top < self._end + ALIGNMENT:
            raise SyscallError(Errno.ENOMEM)
        self._top = top
        return top

    def protect(self) -> None:
        """Has the functions that are called from now on leave it alone."""
        top = self._top & -ALIGNMENT
        self._pointer.set_value(self._store, wasmtime.Val.i32(_signed(top)))


def _signed(address: int) -> int:
    return address - (1 << 32) if address >> 31 else address
