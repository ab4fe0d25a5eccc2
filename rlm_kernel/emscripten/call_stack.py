"""The part of the guest's stack that C keeps in linear memory; it grows downwards."""

from __future__ import annotations

import ctypes
from types import TracebackType
from typing import Any

import wasmtime
from wasmtime import _bindings as c_api

from rlm_kernel.emscripten.errno import Errno, SyscallError

ALIGNMENT = 16
"""Of the stack pointer at every call; source: WebAssembly's `BasicCABI.md`."""


I32 = 0
"""`WASMTIME_I32`; source: the C API's `wasmtime/val.h`."""


class CallStack:
    """Room for what the host passes to the guest by address."""

    def __init__(self, store: wasmtime.Store) -> None:
        self._store = store
        self._pointer: Any = None
        self._value: Any = c_api.wasmtime_val_t()
        self._at = ctypes.byref(self._value)
        self.end = 0

    def attach(self, pointer: wasmtime.Global, end: int) -> None:
        """The stack's top is kept in `pointer` and must stay above the address `end`."""
        self._pointer = ctypes.byref(pointer._global)
        self.end = end

    @property
    def top(self) -> int:
        c_api.wasmtime_global_get(self._store._context(), self._pointer, self._at)
        top: int = self._value.of.i32
        return top & 0xFFFFFFFF

    def move(self, top: int) -> None:
        self._value.kind = I32
        self._value.of.i32 = top
        c_api.wasmtime_global_set(self._store._context(), self._pointer, self._at)

    def frame(self) -> Frame:
        """Room that is free again afterwards."""
        return Frame(self)


class Frame:
    """What is taken of the stack by one call. Most calls take nothing."""

    def __init__(self, stack: CallStack) -> None:
        self._stack = stack
        self._start: int | None = None
        self._top = 0

    def take(self, size: int, alignment: int = ALIGNMENT) -> int:
        """The address of that much room; ENOMEM where the stack has less."""
        if self._start is None:
            self._start = self._top = self._stack.top
        top = (self._top - size) & -max(alignment, 1)
        if top < self._stack.end + ALIGNMENT:
            raise SyscallError(Errno.ENOMEM)
        self._top = top
        return top

    def protect(self) -> None:
        """Has the functions that are called from now on leave it alone."""
        if self._start is not None:
            self._stack.move(self._top & -ALIGNMENT)

    def __enter__(self) -> Frame:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._start is not None:
            self._stack.move(self._start)
