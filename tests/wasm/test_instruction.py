"""Where instructions end: every kind of immediate, full of bytes that look like legacy opcodes."""

from __future__ import annotations

import pytest
import wasmtime

from rlm_kernel.wasm import Module, SectionId, translate_exceptions
from rlm_kernel.wasm.control import control_instructions
from rlm_kernel.wasm.instruction import Op
from rlm_kernel.wasm.reader import Reader

# Each line is one instruction sequence of a function of its own; 6 is the legacy `try`.
SEQUENCES = """
(f32.const 0x1.0c0c0cp+6) (drop)
(f64.const 0x1.0606060606060p+6) (drop)
(i64.const 0x0606060606060606) (drop)
(i32.const 0x06060606) (drop)
(i32.const 1) (i32.load offset=6 align=1) (drop)
(i32.const 1) (i64.load offset=0x6060606) (drop)
(i32.const 1) (i32.load $other offset=6) (drop)
(memory.size $other) (drop)
(i32.const 6) (i32.const 6) (i32.const 6) (memory.copy 6 6)
(i32.const 6) (i32.const 6) (i32.const 6) (memory.fill 6)
(i32.const 6) (i32.const 6) (i32.const 6) (memory.init 6 6)
(data.drop 6)
(i32.const 6) (i32.const 6) (i32.const 6) (table.copy 6 6)
(i32.const 6) (i32.const 6) (i32.const 6) (table.init 6 6)
(elem.drop 6)
(ref.null func) (i32.const 6) (table.grow 6) (drop)
(table.size 6) (drop)
(i32.const 6) (table.get 6) (drop)
(i32.const 6) (ref.null func) (i32.const 6) (table.fill 6)
(ref.null extern) (ref.is_null) (drop)
(ref.func 6) (drop)
(i32.const 6) (call_indirect 6 (type 6))
(i32.const 6) (return_call_indirect 6 (type 6))
(return_call 6)
(ref.func 6) (call_ref 6)
(ref.func 6) (return_call_ref 6)
(ref.null 6) (ref.as_non_null) (drop)
(i32.const 6) (i32.const 6) (i32.const 6) (select (result i32)) (drop)
(f32.const 6) (i32.trunc_sat_f32_s) (drop)
(v128.const i32x4 0x06060606 6 6 6) (drop)
(v128.const i64x2 6 6) (v128.const i64x2 6 6) (i8x16.shuffle 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6) (drop)
(v128.const i64x2 6 6) (i8x16.extract_lane_u 6) (drop)
(i32.const 6) (v128.const i64x2 6 6) (v128.load8_lane 6 offset=6 6) (drop)
(i32.const 6) (v128.load offset=6) (drop)
(i32.const 6) (v128.load32_zero offset=6) (drop)
(v128.const i64x2 6 6) (v128.const i64x2 6 6) (i32x4.add) (drop)
(i32.const 6) (i32.const 6) (i32.const 6) (i32.atomic.rmw.cmpxchg offset=24) (drop)
(atomic.fence)
(struct.new 7 (i32.const 6)) (struct.get 7 0) (drop)
(array.new_fixed 8 1 (i32.const 6)) (array.len) (drop)
(array.new_default 8 (i32.const 6)) (i32.const 6) (array.get 8) (drop)
(ref.i31 (i32.const 6)) (i31.get_s) (drop)
(ref.null any) (ref.test (ref 8)) (drop)
(ref.null any) (ref.cast (ref null 8)) (drop)
(block (result (ref null 6)) (ref.null 6)) (drop)
(block (result anyref) (ref.null any) (br_on_cast 0 anyref (ref 8))) (drop)
(block (result exnref) (try_table (catch_all_ref 0) (throw 0)) (unreachable)) (throw_ref)
(block (block (i32.const 6) (br_table 0 1 0 1)))
(block (ref.null any) (br_on_null 0) (drop))
(i32.const 6) (if (then (nop)) (else (nop)))
(loop (i32.const 6) (br_if 0))
""".strip().splitlines()

MODULE = """
(module
  (type (func (param i32))) (type (func (param i64))) (type (func (param f32)))
  (type (func (param f64))) (type (func (result f32))) (type (func (result f64)))
  (type (func)) (type (struct (field i32))) (type (array (mut i32)))
  {functions}
  (memory 1) (memory 1) (memory 1) (memory 1) (memory 1) (memory 1) (memory $other 1)
  (table 1 funcref) (table 1 funcref) (table 1 funcref) (table 1 funcref)
  (table 1 funcref) (table 1 funcref) (table 1 funcref)
  (tag) (tag) (tag) (tag) (tag) (tag) (tag (param i32))
  (elem func 0) (elem func 0) (elem func 0) (elem func 0) (elem func 0) (elem func 0)
  (elem func 6)
  (data "0") (data "1") (data "2") (data "3") (data "4") (data "5") (data "6"))
"""


def module_of(code: str) -> bytes:
    functions = "(func (type 6))" * 7 + f"(func (type 6) {code})"
    return bytes(wasmtime.wat2wasm(MODULE.format(functions=functions)))


@pytest.mark.parametrize("code", SEQUENCES)
def test_bytes_of_immediates_are_not_taken_for_instructions(code: str) -> None:
    module = module_of(code)
    section = Module.parse(module).section(SectionId.CODE)
    assert section
    reader = section.reader()
    *_, body = [reader.blob() for _ in range(reader.u32())]
    assert translate_exceptions(module) is module
    controls = list(control_instructions(Reader(body, 1)))
    assert {Op.TRY, Op.CATCH, Op.CATCH_ALL, Op.RETHROW, Op.DELEGATE}.isdisjoint(
        control.op for control in controls
    )
    openings = sum(control.op in (Op.BLOCK, Op.LOOP, Op.IF, Op.TRY_TABLE) for control in controls)
    assert sum(control.op == Op.END for control in controls) == openings + 1
    assert controls[-1].end == len(body)
