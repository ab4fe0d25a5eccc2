"""The guest's function table: what C calls the address of a function is an index into it."""

from __future__ import annotations

import ctypes
from typing import Any

import wasmtime
from wasmtime import _bindings as c_api
from wasmtime import _ffi as ffi

from rlm_kernel.emscripten.calling import GuestCalls, GuestFunction
from rlm_kernel.emscripten.errno import Errno, SyscallError


class FunctionTable:
    """Finds functions by their index, and puts others in."""

    def __init__(self, store: wasmtime.Store, calls: GuestCalls) -> None:
        self._store = store
        self._calls = calls
        self._table: Any = None

    def attach(self, table: wasmtime.Table) -> None:
        self._table = ctypes.byref(table._table)

    @property
    def size(self) -> int:
        """How many places it has."""
        size: int = c_api.wasmtime_table_size(self._store._context(), self._table)
        return size

    def find(self, index: int) -> GuestFunction:
        """The function at this index; EFAULT where there is none."""
        handle = self._handle(index)
        if handle is None:
            raise SyscallError(Errno.EFAULT)
        return self._calls.describe(handle)

    def identity_at(self, index: int) -> int:
        """The identity of the function at this index, 0 where there is none."""
        handle = self._handle(index)
        return 0 if handle is None else identity(handle)

    def _handle(self, index: int) -> Any | None:
        value = c_api.wasmtime_val_t()
        found = self._table is not None and c_api.wasmtime_table_get(
            self._store._context(), self._table, index, ctypes.byref(value)
        )
        return value.of.funcref if found and value.of.funcref.store_id else None

    def grow(self, count: int = 1) -> int:
        """The index of the first of new empty places; ENOMEM where the table cannot grow."""
        place = ctypes.c_uint64()
        error = c_api.wasmtime_table_grow(
            self._store._context(), self._table, count, _reference(None), ctypes.byref(place)
        )
        if error:
            c_api.wasmtime_error_delete(error)
            raise SyscallError(Errno.ENOMEM)
        return place.value

    def put(self, index: int, handle: Any | None) -> None:
        """Puts a `wasmtime_func_t`, or nothing, at an index that exists."""
        error = c_api.wasmtime_table_set(
            self._store._context(), self._table, index, _reference(handle)
        )
        if error:
            c_api.wasmtime_error_delete(error)
            raise SyscallError(Errno.EFAULT)


def identity(handle: Any) -> int:
    """What tells the function of a `wasmtime_func_t` from every other function of its store."""
    pointer: int = getattr(handle, "__private")
    return pointer


def _reference(handle: Any | None) -> Any:
    value = c_api.wasmtime_val_t(ffi.WASMTIME_FUNCREF.value)
    if handle is not None:
        value.of.funcref = handle
    return ctypes.byref(value)
