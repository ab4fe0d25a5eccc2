"""The numbers of functions in the table: what a C pointer to one is."""

from __future__ import annotations

import wasmtime

from rlm_kernel.emscripten.function_table import FunctionTable, identity


class FunctionNumbers:
    """Finds the number of a function, and makes room for more.

    A function has one number only, whoever asks for it: C compares pointers to functions. Where
    the table is full, what enters something raises `SyscallError(ENOMEM)`.
    """

    def __init__(self, table: FunctionTable) -> None:
        self._table = table
        self._numbers: dict[int, int] = {}
        self._known = 0

    def of(self, function: wasmtime.Func) -> int:
        """The number of a function, which is entered if it is not there."""
        wanted = identity(function._func)
        number = self._numbers.get(wanted)
        if number is not None and self._table.identity_at(number) == wanted:
            return number
        # A number that was given to another function since makes all of them doubtful.
        self._look_through(self._known if number is None else 0)
        if wanted not in self._numbers:
            self._numbers[wanted] = self._enter(function)
        return self._numbers[wanted]

    def reserve(self, count: int, alignment: int = 1) -> int:
        """The first of `count` numbers that lead to nothing yet, a multiple of `alignment`."""
        size = self._table.size
        first = -(-size // alignment) * alignment
        if first + count > size:
            self._table.grow(first + count - size)
        return first

    def put(self, number: int, function: wasmtime.Func) -> None:
        self._table.put(number, function._func)

    def _enter(self, function: wasmtime.Func) -> int:
        number = self._table.grow()
        self.put(number, function)
        return number

    def _look_through(self, start: int) -> None:
        """Learns the numbers from `start` on. The main module alone has thousands."""
        if start == 0:
            self._numbers.clear()
        self._known = self._table.size
        for number in range(start, self._known):
            found = self._table.identity_at(number)
            if found:
                self._numbers.setdefault(found, number)
