"""The numbers of functions in the table: what a C pointer to one is."""

from __future__ import annotations

import ctypes

import wasmtime
from wasmtime import _bindings as c_api


class FunctionNumbers:
    """Finds the number of a function, and makes room for more.

    A function has one number only, whoever asks for it: C compares pointers to functions. Methods
    that enter something raise wasmtime.WasmtimeError where the table is full.
    """

    def __init__(self, store: wasmtime.Store, table: wasmtime.Table) -> None:
        self._store = store
        self._table = table
        self._numbers: dict[int, int] = {}
        self._known = 0

    def number(self, function: wasmtime.Func) -> int:
        """The number of a function, which is entered if it is not there."""
        address = _address(function._func)
        for _ in range(2):
            number = self._numbers.get(address)
            if number is not None and self._address_at(number) == address:
                return number
            self._look_through(0 if number is not None else self._known)
        number = self._numbers[address] = self._table.grow(self._store, 1, function)
        return number

    def reserve(self, count: int, alignment: int = 1) -> int:
        """The first of `count` numbers that lead to nothing yet, a multiple of `alignment`."""
        size = self._table.size(self._store)
        first = -(-size // alignment) * alignment
        if first + count > size:
            self._table.grow(self._store, first + count - size, None)
        return first

    def put(self, number: int, function: wasmtime.Func) -> None:
        self._table.set(self._store, number, function)

    def _look_through(self, start: int) -> None:
        """Learns the numbers from `start` on. The main module alone has thousands."""
        if start == 0:
            self._numbers.clear()
        self._known = self._table.size(self._store)
        for number in range(start, self._known):
            address = self._address_at(number)
            if address:
                self._numbers.setdefault(address, number)

    def _address_at(self, number: int) -> int:
        value = c_api.wasmtime_val_t()
        found = c_api.wasmtime_table_get(
            self._store._context(), ctypes.byref(self._table._table), number, ctypes.byref(value)
        )
        return _address(value.of.funcref) if found else 0


def _address(function: c_api.wasmtime_func_t) -> int:
    """What tells a function from every other of its store; 0 of a null reference."""
    if not function.store_id:
        return 0
    # The field is private to C programs; its name would be mangled if it were written out.
    return int(getattr(function, "__private") or 0)
