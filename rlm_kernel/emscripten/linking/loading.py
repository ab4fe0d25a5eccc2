"""Loads libraries that belong together: gives them room, makes instances, fills in addresses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import wasmtime

from rlm_kernel.emscripten.errno import SyscallError
from rlm_kernel.emscripten.exports import Exports
from rlm_kernel.emscripten.linking.loaded import LoadedLibrary
from rlm_kernel.emscripten.linking.main_module import MainModule
from rlm_kernel.emscripten.linking.symbols import GOT_FUNC, GOT_MEM, LinkError, Symbols
from rlm_kernel.wasm import ExternKind, Import

ALIGNMENT_MAX = 16
"""The largest alignment that a library may ask for, as the logarithm that it is given as."""

_INT = wasmtime.ValType.i32
_MAKES_ADDRESSES, _CONSTRUCTS = "__wasm_apply_data_relocs", "__wasm_call_ctors"
"""Source: the WebAssembly tool conventions, "Dynamic Linking"."""

Extern = wasmtime.Func | wasmtime.Global | wasmtime.Memory | wasmtime.Table | wasmtime.Tag


def check(main: MainModule, libraries: Sequence[LoadedLibrary]) -> None:
    """Raises LinkError where these cannot be loaded. Nothing is changed by it."""
    for loaded in libraries:
        with _named(loaded):
            dylink = loaded.library.interface.dylink
            if max(dylink.memory_alignment, dylink.table_alignment) > ALIGNMENT_MAX:
                raise LinkError("the alignment that it asks for is too large")
            Symbols(main, loaded).check()


def give_memory(main: MainModule, libraries: Sequence[LoadedLibrary]) -> None:
    """Gives each its data area, or none of them. Raises LinkError."""
    given: list[LoadedLibrary] = []
    for loaded in libraries:
        dylink = loaded.library.interface.dylink
        if dylink.memory_size:
            alignment = max(16, 1 << dylink.memory_alignment)
            loaded.memory_base = main.allocate(dylink.memory_size, alignment)
            if not loaded.memory_base:
                for other in given:
                    main.free(other.memory_base)
                with _named(loaded):
                    raise LinkError(f"no memory for its {dylink.memory_size} bytes of data")
            given.append(loaded)


def link(main: MainModule, libraries: Sequence[LoadedLibrary]) -> None:
    """Makes the instances, in this order, and runs their constructors. Raises LinkError.

    Where it does, room in the table is lost: what failed must not be tried again.
    """
    linkings = [_Linking(main, loaded) for loaded in libraries]
    for step in (_Linking.take_numbers, _Linking.instantiate, _Linking.fill_in):
        for linking in linkings:
            with _named(linking.loaded):
                step(linking)
    for function in (_MAKES_ADDRESSES, _CONSTRUCTS):
        for linking in linkings:
            linking.run(function)


class _Linking:
    def __init__(self, main: MainModule, loaded: LoadedLibrary) -> None:
        self._main = main
        self.loaded = loaded
        self._library = loaded.library
        self._symbols = Symbols(main, loaded)
        self._got: list[tuple[Import, wasmtime.Global]] = []

    def take_numbers(self) -> None:
        dylink, numbers = self._library.interface.dylink, self._main.numbers
        self.loaded.table_base = numbers.reserve(dylink.table_size, 1 << dylink.table_alignment)
        self.loaded.thunk_base = numbers.reserve(len(self._library.late))

    def instantiate(self) -> None:
        store, loaded = self._main.store, self.loaded
        if self._library.thunks is not None:
            imports: list[Extern] = [
                self._main.exports.table("__indirect_function_table"),
                self._constant(loaded.thunk_base),
            ]
            loaded.thunks = Exports(store, wasmtime.Instance(store, self._library.thunks, imports))
        needed = [self._extern(entry) for entry in self._library.interface.imports]
        loaded.exports = Exports(store, wasmtime.Instance(store, self._library.module, needed))

    def fill_in(self) -> None:
        """Fills in what may lie in any of the instances, which are all there by now."""
        for entry, place in self._got:
            value = self._symbols.got_value(entry)
            place.set_value(self._main.store, wasmtime.Val.i32(_signed(value)))
        for position, name in enumerate(self._library.late):
            function = self._symbols.function(name)
            if function is not None:
                self._main.numbers.put(self.loaded.thunk_base + position, function)

    def run(self, name: str) -> None:
        function = self.loaded.function(name)
        if function is not None:
            self._main.call(function)

    def _extern(self, entry: Import) -> Extern:
        if entry.module in (GOT_MEM, GOT_FUNC):
            kind = wasmtime.GlobalType(_INT(), True)
            place = wasmtime.Global(self._main.store, kind, wasmtime.Val.i32(0))
            self._got.append((entry, place))
            return place
        if entry.kind is ExternKind.FUNCTION:
            return self._function(entry)
        if entry.name == "__memory_base":
            return self._constant(self.loaded.memory_base)
        if entry.name == "__table_base":
            return self._constant(self.loaded.table_base)
        return self._shared(entry)

    def _function(self, entry: Import) -> wasmtime.Func:
        hosted = self._main.host.get((entry.module, entry.name))
        function = self._symbols.function(entry.name) if entry.module == "env" else hosted
        if function is None and self.loaded.thunks is not None:
            return self.loaded.thunks.function(entry.name)
        if function is None:
            raise LinkError(f"undefined symbol: {entry.name}")
        return function

    def _shared(self, entry: Import) -> Extern:
        """A memory, table, tag or global that the main module has, or a tag of a library's."""
        found = self._main.exports.find(entry.name)
        provider = self._symbols.provider(entry.name, entry.kind)
        if found is None and provider is not None and provider.exports is not None:
            found = provider.exports.find(entry.name)
        if not isinstance(found, Extern):
            raise LinkError(f"undefined symbol: {entry.name}")
        return found

    def _constant(self, value: int) -> wasmtime.Global:
        kind = wasmtime.GlobalType(_INT(), False)
        return wasmtime.Global(self._main.store, kind, wasmtime.Val.i32(_signed(value)))


@contextmanager
def _named(loaded: LoadedLibrary) -> Iterator[None]:
    """Turns what goes wrong with a library into an error that begins with its path."""
    path = loaded.library.path
    try:
        yield
    except LinkError as error:
        raise LinkError(f"{path}: {error}") from None
    except SyscallError as error:
        raise LinkError(f"{path}: no room in the function table ({error})") from None
    except wasmtime.WasmtimeError as error:
        raise LinkError(f"{path}: {' '.join(str(error).split())}") from error


def _signed(value: int) -> int:
    return value - (1 << 32) if value >= 1 << 31 else value
