"""The libraries that the host installed: the only ones there are to load."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from posixpath import basename, dirname, join, normpath

import wasmtime

from rlm_kernel.emscripten.nodes import Node, RegularFile
from rlm_kernel.wasm import SideModule

_ORIGIN = "$ORIGIN"
_SYSTEM_FOLDER = "/usr/lib"


@dataclass(frozen=True, slots=True, eq=False)
class Library:
    """A side module, compiled.

    `path` is where the guest finds it and `content` the very object that its file is made of.
    `thunks` exports a thunk (see `rlm_kernel.wasm.thunks`) for each of `late`, in this order:
    imports that neither the main module nor the host has.
    """

    path: str
    content: bytes | memoryview
    interface: SideModule
    module: wasmtime.Module
    late: tuple[str, ...] = ()
    thunks: wasmtime.Module | None = None


class InstalledLibraries:
    """Libraries by their files and by their names."""

    def __init__(self, libraries: Iterable[Library]) -> None:
        self._by_path = {library.path: library for library in libraries}
        self._by_content = {id(library.content): library for library in self._by_path.values()}

    def of_file(self, node: Node) -> Library | None:
        """The library that a file of the guest is, under whatever name.

        None of a file with other content, a copy included: nothing that the guest wrote is one.
        """
        image = node.image if isinstance(node, RegularFile) else None
        return None if image is None else self._by_content.get(id(image))

    def needed(self, name: str, library: Library) -> Library | None:
        """The library of this name that another one needs.

        It is looked for on that one's own search path, beside it, in the folders `*.libs` that
        repaired wheels bring along, and with the system's libraries.
        """
        for folder in self._folders(library):
            # POSIX gives two slashes at the start a meaning of their own, and normpath keeps them.
            found = self._by_path.get("/" + normpath(join(folder, name)).lstrip("/"))
            if found is not None:
                return found
        return None

    def _folders(self, library: Library) -> list[str]:
        own = dirname(library.path)
        searched = [path.replace(_ORIGIN, own) for path in library.interface.dylink.runtime_paths]
        others = {dirname(path) for path in self._by_path}
        bundled = sorted(folder for folder in others if basename(folder).endswith(".libs"))
        return [*searched, own, *bundled, _SYSTEM_FOLDER]
