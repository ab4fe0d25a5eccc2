"""A library in the program: where it is, and what it has for others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import wasmtime

from rlm_kernel.emscripten.exports import Exports
from rlm_kernel.emscripten.linking.library import Library
from rlm_kernel.wasm import ExternKind


class LoadedLibrary:
    """A library that is loaded, or about to be: until then `exports` is None.

    `scope` is where its symbols are looked for after the main module's: first the libraries that
    were opened for all, then the one it was opened with and what that needs, breadth first.
    """

    def __init__(self, library: Library) -> None:
        self.library = library
        self.needs: list[LoadedLibrary] = []
        self.scope: Sequence[LoadedLibrary] = ()
        self.memory_base = 0
        self.table_base = 0
        self.thunk_base = 0
        self.thunks: Exports | None = None
        self.exports: Exports | None = None

    def has(self, name: str, kind: ExternKind) -> bool:
        export = self.library.interface.exports.get(name)
        return export is not None and export.kind is kind

    def function(self, name: str) -> wasmtime.Func | None:
        known = self.exports is not None and self.has(name, ExternKind.FUNCTION)
        return self.exports.function(name) if known and self.exports is not None else None

    def address(self, name: str) -> int | None:
        """The address of a variable that it exports, as an offset from its memory."""
        known = self.exports is not None and self.has(name, ExternKind.GLOBAL)
        if not known or self.exports is None:
            return None
        return self.memory_base + self.exports.address(name) & 0xFFFFFFFF

    def reach(self) -> list[LoadedLibrary]:
        """Itself and all that it needs, breadth first, each once."""
        found: list[LoadedLibrary] = [self]
        for library in found:
            found += [need for need in library.needs if need not in found]
        return found

    def needed_first(self) -> Iterator[LoadedLibrary]:
        """Itself and all that it needs, each after what it needs itself unless that is a circle."""
        seen: set[int] = set()
        # Each entry: a library, and how many of its needs were looked at.
        path: list[tuple[LoadedLibrary, int]] = [(self, 0)]
        while path:
            library, position = path.pop()
            seen.add(id(library))
            if position == len(library.needs):
                yield library
                continue
            path.append((library, position + 1))
            if id(library.needs[position]) not in seen:
                path.append((library.needs[position], 0))
