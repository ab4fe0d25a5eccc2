"""dlopen(3) and dlsym(3): what the C library leaves to the host."""

from __future__ import annotations

from collections.abc import Callable

from rlm_kernel.emscripten.errno import Errno, SyscallError
from rlm_kernel.emscripten.imports import imported
from rlm_kernel.emscripten.linking.linker import Linker
from rlm_kernel.emscripten.linking.main_module import MainModule
from rlm_kernel.emscripten.linking.symbols import LinkError
from rlm_kernel.emscripten.locations import AT_FDCWD, Locations

FLAGS, FILE_DATA, FILE_SIZE, NAME = 4, 28, 32, 36
"""Offsets in `struct dso`; source: Emscripten's `system/lib/libc/dynlink.h`."""

RTLD_GLOBAL = 0x100
"""Source: musl's `include/dlfcn.h`."""

RTLD_DEFAULT, RTLD_NEXT = 0, 0xFFFFFFFF
SYMBOL_MAX = 1 << 16


class LinkerCalls:
    """Opens libraries and finds symbols. What goes wrong is said by dlerror(3).

    The C library reads the file before it asks; that copy is given back, and its size in the
    handle gives way to the number of the library.
    """

    def __init__(self, linker: Linker, locations: Locations) -> None:
        self._linker = linker
        self._locations = locations
        self._main: MainModule | None = None

    def attach(self, main: MainModule) -> None:
        """The program whose libraries these are has started."""
        self._main = main
        self._linker.attach(main)

    @imported("_dlopen_js", "I", "i")
    def dlopen(self, handle: int) -> int:
        """Loads what the handle names; 1, or 0 where that fails."""
        return self._reported(lambda main: self._open(main, handle))

    @imported("_dlsym_js", "III", "I")
    def dlsym(self, handle: int, name: int, _index: int) -> int:
        """The address of a symbol, 0 where there is none."""
        return self._reported(lambda main: self._find(main, handle, name))

    def _open(self, main: MainModule, handle: int) -> int:
        memory = main.memory
        path = self._locations.path(handle + NAME)
        copy = memory.read_u32(handle + FILE_DATA)
        memory.write_u32(handle + FILE_DATA, 0)
        if copy:
            main.free(copy)
        try:
            node = self._locations.find(AT_FDCWD, handle + NAME)
        except SyscallError as error:
            reason = "No such file" if error.errno is Errno.ENOENT else str(error)
            raise LinkError(f"{path}: cannot open shared object file: {reason}") from None
        for_all = bool(memory.read_u32(handle + FLAGS) & RTLD_GLOBAL)
        try:
            number = self._linker.open(node, for_all=for_all)
        except LinkError as error:
            reason = str(error)
            raise LinkError(reason if reason.startswith("/") else f"{path}: {reason}") from None
        memory.write_u32(handle + FILE_SIZE, number)
        return 1

    def _find(self, main: MainModule, handle: int, name: int) -> int:
        symbol = main.memory.read_cstring(name, SYMBOL_MAX).decode(errors="replace")
        if handle in (RTLD_DEFAULT, RTLD_NEXT):
            return self._linker.symbol(None, symbol)
        return self._linker.symbol(main.memory.read_u32(handle + FILE_SIZE), symbol)

    def _reported(self, act: Callable[[MainModule], int]) -> int:
        main = self._main
        if main is None:
            return 0
        try:
            return act(main)
        except LinkError as error:
            _set_error(main, str(error))
            return 0


def _set_error(main: MainModule, text: str) -> None:
    """Has dlerror(3) say this text."""
    encoded = text.encode("utf-8", "surrogateescape") + b"\0"
    # printf's variable arguments are an array: here of one pointer, to the text after it.
    address = main.allocate(8 + len(encoded), 8)
    if not address:
        return
    main.memory.write_u32(address, address + 8)
    main.memory.write(address + 4, b"%s\0\0")
    main.memory.write(address + 8, encoded)
    main.call(main.exports.function("__dl_seterr"), address + 4, address)
    main.free(address)
