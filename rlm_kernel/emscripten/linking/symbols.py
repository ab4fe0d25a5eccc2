"""What the names mean that a library imports."""

from __future__ import annotations

import wasmtime

from rlm_kernel.emscripten.linking.loaded import LoadedLibrary
from rlm_kernel.emscripten.linking.main_module import MainModule
from rlm_kernel.wasm import ExternKind, FunctionType, Import

GOT_MEM, GOT_FUNC = "GOT.mem", "GOT.func"
"""Modules of imports that are addresses: of variables, and numbers of functions."""

OWN_GLOBALS = ("__memory_base", "__table_base")


class LinkError(Exception):
    """Why a library cannot be loaded, in the words that the guest reads."""


class Symbols:
    """Resolves the imports of one library, before and after there are instances."""

    def __init__(self, main: MainModule, loaded: LoadedLibrary) -> None:
        self._main = main
        self._loaded = loaded
        interface = loaded.library.interface
        self._weak = {info.name for info in interface.dylink.imports if info.weak}

    def check(self) -> None:
        """Raises LinkError where a symbol is not defined, or not as what it is imported."""
        for entry in self._loaded.library.interface.imports:
            if not self._is_defined(entry) and not self._may_be_missing(entry):
                raise LinkError(f"undefined symbol: {entry.name}")

    def provider(self, name: str, kind: ExternKind) -> LoadedLibrary | None:
        """The first library in its scope that exports this."""
        return next((other for other in self._loaded.scope if other.has(name, kind)), None)

    def function(self, name: str) -> wasmtime.Func | None:
        """A function, once its library is there."""
        found = self._main.function(name)
        if found is not None:
            return found
        provider = self.provider(name, ExternKind.FUNCTION)
        return provider.function(name) if provider is not None else None

    def got_value(self, entry: Import) -> int:
        """What the global of a GOT import holds; 0 of a weak symbol that nothing defines."""
        if entry.module == GOT_FUNC:
            function = self.function(entry.name)
            return 0 if function is None else self._main.numbers.of(function)
        address = self._main.address(entry.name)
        if address is not None:
            return address
        provider = self.provider(entry.name, ExternKind.GLOBAL)
        return (provider.address(entry.name) if provider is not None else None) or 0

    def _may_be_missing(self, entry: Import) -> bool:
        if entry.name not in self._weak:
            return False
        # A weak function is called through its thunk, which leads to nothing.
        return entry.module in (GOT_MEM, GOT_FUNC) or entry.name in self._loaded.library.late

    def _is_defined(self, entry: Import) -> bool:
        main, name = self._main, entry.name
        if entry.kind is ExternKind.FUNCTION:
            return (entry.module, name) in main.host or (
                entry.module == "env" and self._has_function(name)
            )
        if entry.module == GOT_FUNC:
            return main.function(name) is not None or self._in_scope(name, ExternKind.FUNCTION)
        if entry.module == GOT_MEM:
            return main.address(name) is not None or self._in_scope(name, ExternKind.GLOBAL)
        if entry.kind is ExternKind.TAG:
            return main.exports.find(name) is not None or self._in_scope(name, ExternKind.TAG)
        return name in OWN_GLOBALS or main.exports.find(name) is not None

    def _in_scope(self, name: str, kind: ExternKind) -> bool:
        return self.provider(name, kind) is not None

    def _has_function(self, name: str) -> bool:
        if self._main.function(name) is not None:
            return True
        provider = self.provider(name, ExternKind.FUNCTION)
        if provider is None or name not in self._loaded.library.late:
            return False
        wanted = self._loaded.library.interface.import_types.get(name)
        defined = provider.library.interface.function_types.get(name)
        if wanted != defined:
            raise LinkError(
                f"symbol {name} is imported as {_signature(wanted)}, "
                f"and {provider.library.path} defines it as {_signature(defined)}"
            )
        return True


_NAMES = {b"\x7f": "i32", b"\x7e": "i64", b"\x7d": "f32", b"\x7c": "f64"}


def _signature(kind: FunctionType | None) -> str:
    if kind is None:
        return "no function"
    parameters, results = (
        ", ".join(_NAMES.get(value, "ref") for value in values)
        for values in (kind.params, kind.results)
    )
    return f"({parameters}) -> ({results})"
