"""The dynamic linker: what is loaded, and where its symbols are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import wasmtime

from rlm_kernel.emscripten.errno import SyscallError
from rlm_kernel.emscripten.linking import loading
from rlm_kernel.emscripten.linking.library import InstalledLibraries, Library
from rlm_kernel.emscripten.linking.loaded import LoadedLibrary
from rlm_kernel.emscripten.linking.main_module import MainModule
from rlm_kernel.emscripten.linking.symbols import LinkError
from rlm_kernel.emscripten.nodes import Node


class Linker:
    """Loads installed libraries into a main module. Each is loaded once, and stays.

    What was loaded is known by a number from 1 on.
    """

    def __init__(self, libraries: Iterable[Library]) -> None:
        self._installed = InstalledLibraries(libraries)
        self._loaded: list[LoadedLibrary] = []
        self._for_all: list[LoadedLibrary] = []
        self._broken: dict[str, str] = {}
        self._main: MainModule | None = None

    def attach(self, main: MainModule) -> None:
        """Libraries are loaded into this module from now on."""
        self._main = main

    def open(self, node: Node, *, for_all: bool) -> int:
        """The number of the library that a file of the guest is, loaded with all that it needs.

        `for_all` is whether libraries loaded later may use its symbols. Raises LinkError.
        """
        library = self._installed.of_file(node)
        if library is None:
            raise LinkError("only libraries that the host installed can be loaded")
        loaded = self._known(library) or self._load(library)
        if for_all:
            self._for_all += [each for each in loaded.reach() if each not in self._for_all]
        return self._loaded.index(loaded) + 1

    def symbol(self, number: int | None, name: str) -> int:
        """The address of a variable, or the number of a function: of a library or what it needs,
        or without one of the main module or a library for all. Raises LinkError."""
        main = self._main_module()
        if number is None:
            searched: Sequence[LoadedLibrary] = self._for_all
            # Not the host's own functions: what calls them was linked to them.
            function, address = main.exported(name), main.address(name)
        else:
            searched = self._numbered(number).reach()
            function = address = None
        for loaded in searched:
            if function is None and address is None:
                function, address = loaded.function(name), loaded.address(name)
        if function is not None:
            return _number(main, function, name)
        if address is None:
            raise LinkError(f"undefined symbol: {name}")
        return address

    def _load(self, library: Library) -> LoadedLibrary:
        reason = self._broken.get(library.path)
        if reason is not None:
            raise LinkError(reason)
        main, root = self._main_module(), self._plan(library)
        group = [each for each in root.needed_first() if each.exports is None]
        loading.check(main, group)
        loading.give_memory(main, group)
        try:
            loading.link(main, group)
        except LinkError as error:
            # Tried again, it would take room in the table again.
            self._broken |= {each.library.path: str(error) for each in group}
            raise
        self._loaded += group
        return root

    def _plan(self, library: Library) -> LoadedLibrary:
        """The library with its needs, of which some may be loaded already."""
        root = LoadedLibrary(library)
        new = {library.path: root}
        planned = [root]
        for loaded in planned:
            for name in loaded.library.interface.dylink.needed:
                need = self._need(name, loaded, new)
                loaded.needs.append(need)
                if need.exports is None and need not in planned:
                    planned.append(need)
        scope = [*self._for_all, *root.reach()]
        for loaded in planned:
            loaded.scope = scope
        return root

    def _need(
        self, name: str, loaded: LoadedLibrary, new: dict[str, LoadedLibrary]
    ) -> LoadedLibrary:
        library = self._installed.needed(name, loaded.library)
        if library is None:
            raise LinkError(f"{loaded.library.path}: needs {name}, which is not installed")
        return (
            new.get(library.path)
            or self._known(library)
            or new.setdefault(library.path, LoadedLibrary(library))
        )

    def _known(self, library: Library) -> LoadedLibrary | None:
        return next((loaded for loaded in self._loaded if loaded.library is library), None)

    def _numbered(self, number: int) -> LoadedLibrary:
        if not 1 <= number <= len(self._loaded):
            raise LinkError("invalid library handle")
        return self._loaded[number - 1]

    def _main_module(self) -> MainModule:
        if self._main is None:
            raise LinkError("nothing can be loaded before the program has started")
        return self._main


def _number(main: MainModule, function: wasmtime.Func, name: str) -> int:
    try:
        return main.numbers.of(function)
    except SyscallError:
        raise LinkError(f"no room in the function table for {name}") from None
