"""A guest of nothing but calls: each function of the host, called from inside of WebAssembly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from struct import Struct
from typing import Any

import wasmtime

from rlm_kernel.emscripten import Library, Program
from rlm_kernel.emscripten.clock import ClockCalls
from rlm_kernel.emscripten.files import FileCalls
from rlm_kernel.emscripten.heap import HeapCalls
from rlm_kernel.emscripten.imports import Import
from rlm_kernel.emscripten.linking import LinkerCalls
from rlm_kernel.emscripten.locations import Locations
from rlm_kernel.emscripten.metadata import MetadataCalls
from rlm_kernel.emscripten.network import NetworkCalls
from rlm_kernel.emscripten.pipes import PipeCalls
from rlm_kernel.emscripten.polling import PollCalls
from rlm_kernel.emscripten.process import ProcessCalls
from rlm_kernel.emscripten.wasi import WasiCalls

GROUPS = (
    ClockCalls,
    FileCalls,
    HeapCalls,
    LinkerCalls,
    Locations,
    MetadataCalls,
    NetworkCalls,
    PipeCalls,
    PollCalls,
    ProcessCalls,
    WasiCalls,
)

PAGE = 65536
FIRST_PAGES = 16
ERRNO = 2048
"""Where this guest keeps its `errno`."""

HANDLER, TWO_PARAMETERS, FALLING = 1, 2, 3
"""Functions in its table: one keeps its argument in `handled`, one takes two, one traps."""

MEMORY_LIMIT = 64 * PAGE

_TYPES = {"i": "i32", "I": "i32", "q": "i64", "d": "f64"}
ENVIRONMENT = {"HOME": "/home", "LANG": "C.UTF-8"}

# The guest's own allocator: it only moves on, and grows the memory through the host.
_ALLOCATOR = """
  (memory (export "memory") %d)
  (global $top (mut i32) (i32.const 4096))
  (func $take (export "emscripten_builtin_memalign") (param $align i32) (param $size i32)
    (result i32) (local $start i32) (local $end i32)
    (local.set $start (i32.and
      (i32.add (global.get $top) (i32.sub (local.get $align) (i32.const 1)))
      (i32.sub (i32.const 0) (local.get $align))))
    (local.set $end (i32.add (local.get $start) (local.get $size)))
    (if (i32.lt_u (local.get $end) (local.get $start)) (then (return (i32.const 0))))
    (if (i32.gt_u (local.get $end) (i32.shl (memory.size) (i32.const 16)))
      (then (if (i32.eqz (call $env.emscripten_resize_heap (local.get $end)))
        (then (return (i32.const 0))))))
    (global.set $top (local.get $end))
    (local.get $start))
  (func (export "malloc") (param i32) (result i32) (call $take (i32.const 8) (local.get 0)))
  (func (export "free") (param i32))
  (global $error (export "error") (mut i32) (i32.const 0))
  (func (export "__dl_seterr") (param i32 i32) (global.set $error (i32.load (local.get 1))))
  (global $handled (export "handled") (mut i32) (i32.const 0))
  (table (export "__indirect_function_table") 4 funcref)
  (elem (i32.const %d) $handle $two $fall)
  (func $handle (param i32) (global.set $handled (local.get 0)))
  (func $two (param i32 i32))
  (func $fall (param i32) unreachable)
  (func (export "__errno_location") (result i32) (i32.const %d))
  (func (export "__wasm_call_ctors"))
"""


def declared_by(group: type) -> Iterator[Import]:
    for name in dir(group):
        yield from getattr(getattr(group, name), "imports", ())


IMPORTS = sorted(declared for group in GROUPS for declared in declared_by(group))


def program_text(imports: Iterable[Import], extra: str = "") -> str:
    """A module that imports these functions and exports each under its own name."""
    head, body = [], []
    for declared in imports:
        symbol = f"${declared.module}.{declared.name}"
        parameters = [_TYPES[code] for code in declared.signature.parameters]
        results = [_TYPES[code] for code in declared.signature.result]
        kind = f"(param {' '.join(parameters)}) (result {' '.join(results)})"
        arguments = " ".join(f"(local.get {index})" for index in range(len(parameters)))
        head.append(f'(import "{declared.module}" "{declared.name}" (func {symbol} {kind}))')
        body.append(f'(func (export "{declared.name}") {kind} (call {symbol} {arguments}))')
    own = _ALLOCATOR % (FIRST_PAGES, HANDLER, ERRNO)
    return f"(module {' '.join(head)} {own} {' '.join(body)} {extra})"


def never(seconds: float | None) -> None:
    raise AssertionError(f"the guest was made to wait for {seconds}")


@cache
def engine() -> wasmtime.Engine:
    # Made no earlier than a test needs it: pytest takes over the signals of traps when it starts,
    # which is after this module is imported, and the engine must come last.
    config = wasmtime.Config()
    config.wasm_exceptions = True
    return wasmtime.Engine(config)


@cache
def compiled(text: str) -> wasmtime.Module:
    return wasmtime.Module(engine(), bytes(wasmtime.wat2wasm(text)))


class Guest:
    """Calls the host as a guest does; addresses of its strings and buffers are never reused."""

    def __init__(
        self,
        text: str = "",
        *,
        sleep: Callable[[float | None], None] = never,
        groups: Callable[[Program], Iterable[object]] = lambda program: (),
        libraries: Iterable[Library] = (),
    ) -> None:
        self.program = Program(
            engine(),
            compiled(text or program_text(IMPORTS)),
            memory_limit=MEMORY_LIMIT,
            environment=ENVIRONMENT,
            sleep=sleep,
            groups=groups,
            libraries=libraries,
        )
        self.memory = self.program.memory
        self.files = self.program.filesystem
        self.descriptors = self.program.descriptors

    def call(self, name: str, *arguments: Any) -> Any:
        """Calls a function of the host; texts and bytes become addresses of C strings."""
        return self.program.call(name, *map(self._argument, arguments))

    def syscall(self, name: str, *arguments: Any) -> int:
        result: int = self.call(f"__syscall_{name}", *arguments)
        return result

    def room(self, size: int) -> int:
        """The address of this many zero bytes."""
        address: int = self.program.call("malloc", size) & 0xFFFFFFFF
        self.memory.clear(address, size)
        return address

    def put(self, data: bytes) -> int:
        address = self.room(len(data))
        self.memory.write(address, data)
        return address

    def iovecs(self, *buffers: tuple[int, int]) -> int:
        """The address of an array of these buffers: address and length."""
        pair = Struct("<II")
        return self.put(b"".join(pack_unsigned(pair, *buffer) for buffer in buffers))

    def open(self, path: str | bytes, flags: int, permissions: int = 0o644) -> int:
        return self.syscall("openat", -100, path, flags, self.put(u32(permissions)))

    def write(self, fd: int, data: bytes) -> int:
        """The number of bytes written, or the errno made negative."""
        return self._transfer("fd_write", fd, self.put(data), len(data))

    def read(self, fd: int, length: int) -> bytes:
        buffer = self.room(length)
        count = self._transfer("fd_read", fd, buffer, length)
        assert count >= 0, count
        return self.memory.read(buffer, count)

    def _transfer(self, name: str, fd: int, address: int, length: int) -> int:
        result = self.room(4)
        errno: int = self.call(name, fd, self.iovecs((address, length)), 1, result)
        return -errno if errno else self.memory.read_u32(result)

    def _argument(self, argument: Any) -> Any:
        if isinstance(argument, str):
            argument = argument.encode("utf-8", "surrogateescape")
        return self.put(argument + b"\0") if isinstance(argument, bytes) else argument


def u32(value: int) -> bytes:
    return (value & 0xFFFFFFFF).to_bytes(4, "little")


def pack_unsigned(layout: Struct, *values: int) -> bytes:
    return layout.pack(*(value & 0xFFFFFFFF for value in values))
