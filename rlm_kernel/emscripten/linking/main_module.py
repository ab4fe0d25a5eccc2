"""The main module as libraries see it: what it exports, and the host that it runs on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import wasmtime

from rlm_kernel.emscripten.exports import Exports
from rlm_kernel.emscripten.function_table import FunctionTable
from rlm_kernel.emscripten.linking.function_numbers import FunctionNumbers
from rlm_kernel.emscripten.memory import GuestMemory


class MainModule:
    """The instance that libraries are loaded into.

    `host` holds the functions that it imports, by module and name. `call` calls a function of the
    guest while the guest waits for the host.
    """

    def __init__(
        self,
        store: wasmtime.Store,
        exports: Exports,
        memory: GuestMemory,
        host: Mapping[tuple[str, str], wasmtime.Func],
        table: FunctionTable,
        call: Callable[..., Any],
    ) -> None:
        self.store = store
        self.exports = exports
        self.memory = memory
        self.host = host
        self.call = call
        self.numbers = FunctionNumbers(table)

    def function(self, name: str) -> wasmtime.Func | None:
        """A function that it exports, else one that it imports."""
        return self.exported(name) or self.host.get(("env", name))

    def exported(self, name: str) -> wasmtime.Func | None:
        """A function that it exports."""
        found = self.exports.find(name)
        return found if isinstance(found, wasmtime.Func) else None

    def address(self, name: str) -> int | None:
        """The address of a variable that it exports."""
        found = self.exports.find(name)
        return int(found.value(self.store)) if isinstance(found, wasmtime.Global) else None

    def allocate(self, size: int, alignment: int) -> int:
        """The address of this many zero bytes of the heap, 0 where it has no room."""
        allocator = self.exports.function("emscripten_builtin_memalign")
        address: int = self.call(allocator, alignment, size) & 0xFFFFFFFF
        if address:
            self.memory.clear(address, size)
        return address

    def free(self, address: int) -> None:
        """Gives back what `malloc` or `allocate` gave."""
        self.call(self.exports.function("free"), address)
