"""Libraries made by hand, and a guest that opens them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import wasmtime

from rlm_kernel.emscripten import Library
from rlm_kernel.emscripten.linking.calls import FILE_SIZE, FLAGS, NAME, RTLD_GLOBAL
from rlm_kernel.wasm import Dylink, Module, Section, SectionId, SideModule, header, thunks
from tests.emscripten.guest import IMPORTS, Guest, compiled, engine, program_text

MAIN = program_text(
    IMPORTS,
    """
  (global (export "__stack_pointer") (mut i32) (i32.const 4096))
  (global (export "answer") i32 (i32.const 1234))
  (tag (export "__cpp_exception") (param i32))
  (func $double (export "double") (param i32) (result i32)
    (i32.mul (local.get 0) (i32.const 2)))
  (func (export "lonely") (param i32) (result i32) (local.get 0))
  (type $unary (func (param i32) (result i32)))
  (type $none (func (result i32)))
  (table $more 1 funcref)
  (elem (table 0) (i32.const 0) func $double)
  (func (export "apply") (param i32 i32) (result i32)
    (call_indirect 0 (type $unary) (local.get 1) (local.get 0)))
  (func (export "run") (param i32) (result i32)
    (call_indirect 0 (type $none) (local.get 0)))
""",
)
"""A main module whose `double` is in its table already, and whose `lonely` is not."""

DOUBLE = 0
"""The number of `double`."""


def side_module(text: str, dylink: Dylink | None = None) -> bytes:
    """A library of this text; without `dylink` it lacks the section."""
    module = Module.parse(bytes(wasmtime.wat2wasm(text)))
    if dylink is None:
        return module.encode()
    section = Section(SectionId.CUSTOM, dylink.encode(), "dylink.0")
    return Module((section, *module.sections)).encode()


def library(path: str, text: str, dylink: Dylink | None = None) -> Library:
    """A library as the host installs it at `path`, for the main module here."""
    code = side_module(text, dylink or Dylink())
    module = Module.parse(code)
    interface = SideModule.parse(module)
    known = {export.name for export in compiled(MAIN).exports}
    known |= {entry.name or "" for entry in compiled(MAIN).imports}
    late = tuple(name for name in interface.imported_functions() if name not in known)
    return Library(
        path,
        header(module).encode(),
        interface,
        wasmtime.Module(engine(), code),
        late,
        wasmtime.Module(engine(), thunks(module, late)) if late else None,
    )


class Linking(Guest):
    """A guest with these libraries in its files."""

    def __init__(self, libraries: Iterable[Library]) -> None:
        installed = list(libraries)
        super().__init__(MAIN, libraries=installed)
        self.files.add_image({library.path: library.content for library in installed})

    def open_library(self, path: str, *, for_all: bool = False) -> int:
        """The handle, or 0."""
        handle = self.room(NAME + len(path) + 1)
        self.memory.write_u32(handle + FLAGS, RTLD_GLOBAL if for_all else 0)
        self.memory.write(handle + NAME, path.encode())
        return handle if self.call("_dlopen_js", handle) else 0

    def number_of(self, handle: int) -> int:
        """Which library a handle is of."""
        return self.memory.read_u32(handle + FILE_SIZE)

    def symbol(self, handle: int, name: str) -> int:
        found: int = self.call("_dlsym_js", handle, name, self.room(4)) & 0xFFFFFFFF
        return found

    def run(self, handle: int, name: str, *arguments: int) -> int:
        """Calls a function of a library: of an i32 or of nothing."""
        number = self.symbol(handle, name)
        assert number, self.error()
        result: int = self.program.call("apply" if arguments else "run", number, *arguments)
        return result

    def error(self) -> str:
        """What dlerror(3) says."""
        address = self.program.exports.address("error") & 0xFFFFFFFF
        return self.memory.read_cstring(address, 1 << 16).decode()

    @property
    def functions(self) -> int:
        """How many there is room for in the table."""
        table = self.program.exports.table("__indirect_function_table")
        return int(table.size(self.program.store))


def opened(path: str, text: str, dylink: Dylink | None = None) -> tuple[Linking, int]:
    """A guest that has opened its one library."""
    guest = Linking([library(path, text, dylink)])
    handle = guest.open_library(path)
    assert handle, guest.error()
    return guest, handle


def refusal(path: str, libraries: Sequence[Library]) -> str:
    """What dlerror(3) says when one of these libraries is opened."""
    guest = Linking(libraries)
    assert guest.open_library(path) == 0
    return guest.error()
