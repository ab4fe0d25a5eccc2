"""A guest that calls and is called by libffi's host functions, and the tables they read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from struct import pack
from typing import Any

from rlm_kernel.emscripten import Program
from rlm_kernel.emscripten.closures import Closures
from rlm_kernel.emscripten.foreign_calls import ForeignCalls
from tests.emscripten.guest import Guest

STACK_TOP, STACK_END = 65536, 32768

FUNCTIONS = """
  (func $u (param i32) (result i32) (local.get 0))
  (func $q (param i64) (result i64) (local.get 0))
  (func $f (param f32) (result f32) (local.get 0))
  (func $d (param f64) (result f64) (local.get 0))
  (func $nothing)
  (func $second (param i32 i32) (result i32) (i32.load (i32.add (local.get 1) (i32.const 4))))
  (func $change (param i32) (result i32)
    (i32.store (local.get 0) (i32.const 99)) (local.get 0))
  (func $fill (param i32 i32) (i32.store (local.get 0) (local.get 1)))
  (func $halves (param i32 i64 i64)
    (i64.store (local.get 0) (local.get 2))
    (i64.store (i32.add (local.get 0) (i32.const 8)) (local.get 1)))
  (func $reference (param externref))
  (func $throw (throw $tag))
  (func $fall unreachable)
  (func $leave (call $env.leave))
  (func $again (param i32) (result i32)
    (call $ffi_call_js (local.get 0) (i32.const 14) (i32.const 0) (i32.const 8192))
    (i32.const 7))
  (func $handle (param $cif i32) (param $result i32) (param $arguments i32) (param $data i32)
    (global.set $handled (i32.add (global.get $handled) (i32.const 1)))
    (if (i32.eq (local.get $data) (i32.const 1)) (then (throw $tag)))
    (if (i32.eq (local.get $data) (i32.const 2)) (then (call $env.leave)))
    (i64.store (local.get $result)
      (i64.load (i32.load (i32.add (local.get $arguments) (local.get $data))))))
"""
NAMES = ["u", "q", "f", "d", "nothing", "second", "change", "fill", "halves", "reference", "throw"]
NAMES += ["fall", "leave", "again", "handle"]
INDEX = {name: index for index, name in enumerate(NAMES, 1)}
assert INDEX["again"] == 14, "written out above"

TEXT = f"""(module
  (import "env" "ffi_call_js" (func $ffi_call_js (param i32 i32 i32 i32)))
  (import "env" "ffi_closure_alloc_js" (func $alloc (param i32 i32) (result i32)))
  (import "env" "ffi_closure_free_js" (func $free (param i32)))
  (import "env" "ffi_prep_closure_loc_js"
    (func $prepare (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "_abort_js" (func $env.leave))
  (tag $tag)
  (memory (export "memory") 4)
  (table (export "__indirect_function_table") {len(NAMES) + 1} funcref)
  (global (export "__stack_pointer") (mut i32) (i32.const {STACK_TOP}))
  (global $handled (export "handled") (mut i32) (i32.const 0))
  (global $top (mut i32) (i32.const {STACK_TOP}))
  (elem (i32.const 1) {" ".join(f"${name}" for name in NAMES)})
  (export "call" (func $ffi_call_js))
  (export "alloc" (func $alloc))
  (export "free_closure" (func $free))
  (export "prepare" (func $prepare))
  (func (export "try") (param i32 i32 i32 i32) (result i32)
    (block $caught
      (try_table (catch $tag $caught)
        (call $ffi_call_js (local.get 0) (local.get 1) (local.get 2) (local.get 3)))
      (return (i32.const 0)))
    (i32.const 1))
  (func (export "indirect") (param i32 i64 f32 f64) (result i64)
    (call_indirect (param i64 f32 f64) (result i64)
      (local.get 1) (local.get 2) (local.get 3) (local.get 0)))
  (func (export "malloc") (param i32) (result i32) (local $start i32)
    (local.set $start (global.get $top))
    (global.set $top (i32.and (i32.const -16)
      (i32.add (i32.const 15) (i32.add (local.get $start) (local.get 0)))))
    (local.get $start))
  (func (export "free") (param i32))
  (func (export "__wasm_call_ctors"))
  {FUNCTIONS})"""

VOID, INT, FLOAT, DOUBLE, LONG_DOUBLE, U8, S8, U16, S16, U32, S32, U64, S64, STRUCT, POINTER = (
    range(15)
)
SIZES = {VOID: 1, LONG_DOUBLE: 16, U8: 1, S8: 1, U16: 2, S16: 2, DOUBLE: 8, U64: 8, S64: 8}


class ForeignGuest(Guest):
    """Its `refusals` are what the guest would have been told."""

    def __init__(self) -> None:
        self.refusals: list[str] = []
        super().__init__(TEXT, groups=self._groups)
        pointer = self.program.exports.variable("__stack_pointer")
        self.program.stack.attach(pointer, STACK_END)

    def _groups(self, program: Program) -> Iterable[object]:
        parts = program.memory, program.table, program.calls, program.stack
        self.closures = Closures(
            *parts,
            new_function=program.new_function,
            allocate=lambda size: program.call_back("malloc", size),
            free=lambda address: program.call_back("free", address),
            trap=program.trap,
        )
        return ForeignCalls(*parts, self.refusals.append), self.closures

    @property
    def stack_pointer(self) -> int:
        return self.program.exports.address("__stack_pointer")

    @property
    def handled(self) -> int:
        """How often the closures' function ran."""
        return self.program.exports.address("handled")

    def type(self, kind: int, *elements: int, size: int = 0) -> int:
        """The address of a `ffi_type`."""
        array = self.words(*elements, 0) if kind == STRUCT else 0
        size = size or SIZES.get(kind, 4 * max(len(elements), 1))
        return self.put(pack("<IHHI", size, min(size, 8), kind, array))

    def cif(self, result: int, arguments: Sequence[int], fixed: int | None = None) -> int:
        """The address of a `ffi_cif`; with `fixed`, of one with variable arguments."""
        types = self.words(*arguments)
        count, variadic = len(arguments), int(fixed is not None)
        last = count if fixed is None else fixed
        return self.put(pack("<7I", 1, count, types, result, 0, variadic, last))

    def words(self, *values: int) -> int:
        return self.put(pack(f"<{len(values)}I", *values))

    def foreign(
        self, name: str, result: int, arguments: Sequence[tuple[int, bytes]], fixed: Any = None
    ) -> bytes:
        """Calls a function of its own through libffi; gives 16 bytes of result."""
        room = self.put(b"\xee" * 16)
        cif = self.cif(result, [kind for kind, _ in arguments], fixed)
        values = self.words(*[self.put(value) for _, value in arguments])
        self.call("call", cif, INDEX[name], room, values)
        return self.memory.read(room, 16)

    def closure(self, cif: int, data: int = 0, name: str = "handle") -> tuple[int, int]:
        """A new closure's address and its place in the table."""
        code = self.room(4)
        address: int = self.call("alloc", 16, code) & 0xFFFFFFFF
        place = self.memory.read_u32(code)
        assert self.call("prepare", address, cif, INDEX[name], data, place) == 0
        return address, place
