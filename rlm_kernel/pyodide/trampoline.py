"""CPython's call trampoline for WebAssembly.

C allows calling a function through a pointer of another arity; WebAssembly traps. CPython
therefore calls its method tables through a trampoline that looks at the function's real type and
passes as many arguments as it takes. Emscripten's JavaScript would supply one; this one is a
module of its own that shares the interpreter's memory and table.

Contract (source: CPython's `Python/emscripten_trampoline.c`): `(success*, function, a, b, c)
-> result`, with 1 stored at `success` when the function's type was known and 0 otherwise.
"""

from __future__ import annotations

import wasmtime

from rlm_kernel.emscripten.program import Program

_MODULE = """
(module
  (type $three (func (param i32 i32 i32) (result i32)))
  (type $two (func (param i32 i32) (result i32)))
  (type $one (func (param i32) (result i32)))
  (type $none (func (result i32)))
  (import "env" "memory" (memory 0))
  (import "env" "__indirect_function_table" (table $functions 0 funcref))
  (func (export "trampoline_call")
    (param $success i32) (param $function i32) (param $a i32) (param $b i32) (param $c i32)
    (result i32)
    (local $target funcref)
    (i32.store (local.get $success) (i32.const 1))
    (local.set $target (table.get $functions (local.get $function)))
    (if (ref.test (ref $three) (local.get $target))
      (then (return (call_indirect $functions (type $three)
        (local.get $a) (local.get $b) (local.get $c) (local.get $function)))))
    (if (ref.test (ref $two) (local.get $target))
      (then (return (call_indirect $functions (type $two)
        (local.get $a) (local.get $b) (local.get $function)))))
    (if (ref.test (ref $one) (local.get $target))
      (then (return (call_indirect $functions (type $one)
        (local.get $a) (local.get $function)))))
    (if (ref.test (ref $none) (local.get $target))
      (then (return (call_indirect $functions (type $none) (local.get $function)))))
    (i32.store (local.get $success) (i32.const 0))
    (i32.const 0)))
"""


def install_trampoline(program: Program, engine: wasmtime.Engine) -> None:
    """Puts the trampoline into the interpreter's function table and tells CPython where it is."""
    exports = program.exports
    memory = exports.memory("memory")
    table = exports.table("__indirect_function_table")
    module = wasmtime.Module(engine, bytes(wasmtime.wat2wasm(_MODULE)))
    instance = wasmtime.Instance(program.store, module, [memory, table])
    call = instance.exports(program.store)["trampoline_call"]
    index = table.grow(program.store, 1, call)
    field = exports.address("_PyEM_EMSCRIPTEN_TRAMPOLINE_OFFSET")
    offset = program.memory.read_u32(field)
    program.memory.write_u32(exports.address("_PyRuntime") + offset, index)
