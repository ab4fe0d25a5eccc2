"""An Emscripten program in wasmtime: its instance, and the host that serves its imports."""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import wasmtime
from wasmtime import _bindings as c_api

from rlm_kernel.emscripten.call_stack import CallStack
from rlm_kernel.emscripten.calling import GuestCalls
from rlm_kernel.emscripten.clock import ClockCalls
from rlm_kernel.emscripten.cpu_clock import CpuClock
from rlm_kernel.emscripten.descriptors import Descriptors
from rlm_kernel.emscripten.errno import Errno
from rlm_kernel.emscripten.exports import Exports
from rlm_kernel.emscripten.files import FileCalls
from rlm_kernel.emscripten.filesystem import FileSystem
from rlm_kernel.emscripten.function_table import FunctionTable
from rlm_kernel.emscripten.heap import HeapCalls
from rlm_kernel.emscripten.imports import (
    GuestExit,
    GuestThrow,
    Handler,
    Import,
    Signature,
    declared_imports,
    raw_callback,
    stub,
)
from rlm_kernel.emscripten.linking import Library, Linker, LinkerCalls, MainModule
from rlm_kernel.emscripten.locations import Locations
from rlm_kernel.emscripten.memory import PAGE_BYTES, GuestMemory
from rlm_kernel.emscripten.metadata import MetadataCalls
from rlm_kernel.emscripten.network import NetworkCalls
from rlm_kernel.emscripten.pipes import PipeCalls
from rlm_kernel.emscripten.polling import PollCalls
from rlm_kernel.emscripten.process import ABORTED, ProcessCalls
from rlm_kernel.emscripten.wasi import WasiCalls
from rlm_kernel.errors import ConfigurationError, ZygoteError

log = logging.getLogger(__name__)

_NO_FINALIZER = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(0)
_VALUE_TYPES = {
    "i": wasmtime.ValType.i32,
    "q": wasmtime.ValType.i64,
    "f": wasmtime.ValType.f32,
    "d": wasmtime.ValType.f64,
}
_WEAK_SYMBOLS = ("GOT.func", "GOT.mem")

TABLE_MAX = 1 << 20
"""Functions that the program and its libraries may have in their table."""


class Program:
    """A main module, instantiated and with its constructors run.

    `groups(program)` gives host functions beyond Emscripten's own; where both have one, theirs
    is taken. `libraries` are those that it may load while it runs. The store, the memory and the
    file system live as long as the program.
    """

    def __init__(
        self,
        engine: wasmtime.Engine,
        module: wasmtime.Module,
        *,
        memory_limit: int,
        environment: Mapping[str, str],
        sleep: Callable[[float | None], None],
        descriptors: Descriptors | None = None,
        groups: Callable[[Program], Iterable[object]] = lambda program: (),
        libraries: Iterable[Library] = (),
    ) -> None:
        self.store = wasmtime.Store(engine)
        self.store.set_limits(memory_size=memory_limit, table_elements=TABLE_MAX)
        self.memory = GuestMemory()
        self.filesystem = FileSystem()
        self.descriptors = descriptors or Descriptors()
        self.calls = GuestCalls(self.store)
        self.table = FunctionTable(self.store, self.calls)
        self.stack = CallStack(self.store)
        self.cpu_clock = CpuClock()
        self._callbacks: list[Any] = []
        own = self._own_calls(memory_limit, environment, sleep, libraries)
        provided = self._provided([*own, *groups(self)])
        self._host: dict[tuple[str, str], wasmtime.Func] = {}
        imports = [self._satisfy(item, provided) for item in module.imports]
        self.exports = Exports(self.store, wasmtime.Instance(self.store, module, imports))
        self._linear_memory = self.exports.memory("memory")
        self._attach_memory()
        table = self.exports.find("__indirect_function_table")
        if isinstance(table, wasmtime.Table):
            self.table.attach(table)
            self._linker.attach(self._main_module())
        self.call("__wasm_call_ctors")

    def _own_calls(
        self,
        memory_limit: int,
        environment: Mapping[str, str],
        sleep: Callable[[float | None], None],
        libraries: Iterable[Library],
    ) -> tuple[object, ...]:
        locations = Locations(self.memory, self.filesystem, self.descriptors)
        self._linker = LinkerCalls(Linker(libraries), locations)
        self.files = FileCalls(self.memory, self.filesystem, locations, self.descriptors)
        return (
            self.files,
            locations,
            MetadataCalls(self.memory, locations, self.descriptors, self.filesystem.quota),
            PipeCalls(self.memory, self.descriptors),
            PollCalls(self.memory, self.descriptors, sleep, self._set_errno),
            WasiCalls(self.memory, self.descriptors, environment, self.cpu_clock),
            ClockCalls(self.memory),
            HeapCalls(self.memory, self.descriptors, memory_limit, self._grow, self._allocate),
            ProcessCalls(self.memory, "python", self._handle_signal),
            NetworkCalls(),
            self._linker,
        )

    def call(self, name: str, *arguments: int) -> Any:
        """Calls an exported function.

        Raises `GuestExit` when the guest ended its process, and `wasmtime.Trap` when it trapped;
        after either the instance must not be used again.
        """
        function = self.exports.function(name)
        try:
            return function(self.store, *arguments)
        except (wasmtime.Trap, wasmtime.WasmtimeError):
            if self.calls.ended is not None:
                raise self.calls.ended from None
            raise

    def string(self, text: str) -> int:
        """The address of a new C string in the guest's heap."""
        encoded = text.encode() + b"\0"
        address: int = self.call("malloc", len(encoded)) & 0xFFFFFFFF
        if address == 0:
            raise ZygoteError(f"the guest has no room for {len(encoded)} bytes")
        self.memory.write(address, encoded)
        return address

    @staticmethod
    def _provided(groups: Iterable[object]) -> dict[tuple[str, str], tuple[Import, Handler]]:
        return {
            (declared.module, declared.name): (declared, handler)
            for group in groups
            for declared, handler in declared_imports(group)
        }

    def _satisfy(
        self,
        wanted: wasmtime.ImportType,
        provided: Mapping[tuple[str, str], tuple[Import, Handler]],
    ) -> wasmtime.Func | wasmtime.Global:
        module, name, kind = wanted.module, wanted.name or "", wanted.type
        if isinstance(kind, wasmtime.GlobalType) and module in _WEAK_SYMBOLS:
            return wasmtime.Global(self.store, kind, wasmtime.Val.i32(0))
        if not isinstance(kind, wasmtime.FuncType):
            raise ConfigurationError(f"the module imports {module}.{name}, which no host has")
        types = [str(t) for t in kind.params], [str(t) for t in kind.results]
        declared, handler = provided.get((module, name)) or stub(module, name, types[1])
        if (module, name) in provided and not declared.signature.matches(*types):
            raise ConfigurationError(f"{module}.{name} has the type {types}, not {declared}")
        callback = raw_callback(declared, handler, self.trap)
        self._callbacks.append(callback)
        function = wasmtime.Func._from_raw(self._function(kind, callback))
        self._host[module, name] = function
        return function

    def new_function(self, signature: Signature, callback: Any, number: int) -> Any:
        """The `wasmtime_func_t` of a host function that is called with `number` first.

        The callback must live as long as the program; the engine keeps the function as long.
        """
        parameters, results = ([_VALUE_TYPES[code]() for code in codes] for codes in signature)
        return self._function(wasmtime.FuncType(parameters, results), callback, number)

    def _function(self, kind: wasmtime.FuncType, callback: Any, number: int | None = None) -> Any:
        function = c_api.wasmtime_func_t()
        c_api.wasmtime_func_new_unchecked(
            self.store._context(),
            kind.ptr(),
            ctypes.cast(callback, c_api.wasmtime_func_unchecked_callback_t),
            number,
            _NO_FINALIZER,
            ctypes.byref(function),
        )
        return function

    def trap(self, end: GuestExit | GuestThrow) -> int:
        """The trap that a host function returns to end the guest, or to pass on what it threw."""
        if isinstance(end, GuestThrow):
            return end.trap
        self.calls.ended = end
        message = str(end).encode()
        trap = c_api.wasmtime_trap_new(message, len(message))
        return ctypes.cast(trap, ctypes.c_void_p).value or 0

    def _main_module(self) -> MainModule:
        own = self.store, self.exports, self.memory
        return MainModule(*own, self._host, self.table, self._call_back)

    def _attach_memory(self) -> None:
        base = ctypes.cast(self._linear_memory.data_ptr(self.store), ctypes.c_void_p).value or 0
        self.memory.attach(base, self._linear_memory.data_len(self.store))

    def _grow(self, pages: int) -> bool:
        try:
            self._linear_memory.grow(self.store, pages)
        except wasmtime.WasmtimeError:
            log.info("the guest's memory could not grow by %d bytes", pages * PAGE_BYTES)
            return False
        self._attach_memory()
        return True

    def _set_errno(self, errno: Errno) -> None:
        self.memory.write_u32(self.call_back("__errno_location"), errno)

    def _allocate(self, alignment: int, size: int) -> int:
        return self.call_back("emscripten_builtin_memalign", alignment, size)

    def _handle_signal(self, handler: int, number: int) -> None:
        function = self.table.find(handler)
        if function.signature != ("i", ""):
            raise GuestExit(ABORTED, "a function that is no handler was called for a signal")
        self.calls.call(function, (number,))

    def call_back(self, name: str, *arguments: int) -> int:
        """Calls an exported function while the guest waits for a host function.

        A trap in there leaves the guest's stack as it was then: it ends the guest.
        """
        return self._call_back(self.exports.function(name), *arguments)

    def _call_back(self, function: wasmtime.Func, *arguments: int) -> int:
        return self.calls.call(self.calls.describe(function._func), arguments)
