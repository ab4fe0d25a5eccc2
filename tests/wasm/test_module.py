"""Modules as sections: what is read, and that it is written back the same."""

from __future__ import annotations

import wasmtime

from rlm_kernel.wasm import Export, ExternKind, FunctionType, Import, Module, Section, SectionId
from rlm_kernel.wasm.types import F64, I32
from tests.wasm.engine import validate

TEXT = """
(module
  (type $f (func (param i32 f64) (result i32)))
  (rec (type $s (struct (field i8) (field (mut i32)))) (type $a (array (ref null $s))))
  (type $sub (sub (func (result (ref $a)))))
  (import "env" "f" (func (type $f)))
  (import "env" "table" (table 1 2 funcref))
  (import "env" "memory" (memory 1 10))
  (import "env" "wide" (memory i64 1))
  (import "GOT.mem" "g" (global (mut i32)))
  (import "env" "tag" (tag (param i32)))
  (tag $own (param f64))
  (func $twice (export "twice") (type $f) (local.get 0))
  (global (export "zero") i32 (i32.const 0))
  (export "m" (memory 0))
  (export "own" (tag $own))
  (data (i32.const 0) "x"))
"""
MODULE = bytes(wasmtime.wat2wasm(TEXT))


def test_a_module_is_written_as_it_was_read() -> None:
    assert Module.parse(MODULE).encode() == MODULE


def test_sizes_written_too_long_are_read_and_written_short() -> None:
    padded = b"\0asm\1\0\0\0\1\x84\x80\x80\x80\0\1\x60\0\0"
    module = Module.parse(padded)
    assert module.sections == (Section(SectionId.TYPE, b"\1\x60\0\0", offset=14),)
    assert module.encode() == b"\0asm\1\0\0\0\1\4\1\x60\0\0"


def test_imports_name_their_kind_and_the_types_of_functions_and_tags() -> None:
    module = Module.parse(MODULE)
    imports = module.imports()
    assert imports[:-1] == (
        Import("env", "f", ExternKind.FUNCTION, 0),
        Import("env", "table", ExternKind.TABLE),
        Import("env", "memory", ExternKind.MEMORY),
        Import("env", "wide", ExternKind.MEMORY),
        Import("GOT.mem", "g", ExternKind.GLOBAL),
    )
    assert imports[-1].kind is ExternKind.TAG
    assert imports[-1].type_index is not None
    assert module.types().function(imports[-1].type_index) == FunctionType((I32,))


def test_exports_name_their_kind_and_index() -> None:
    assert Module.parse(MODULE).exports() == (
        Export("twice", ExternKind.FUNCTION, 1),
        Export("zero", ExternKind.GLOBAL, 1),
        Export("m", ExternKind.MEMORY, 0),
        Export("own", ExternKind.TAG, 1),
    )


def test_function_and_tag_types_are_listed_by_index() -> None:
    module = Module.parse(MODULE)
    types = module.types()
    assert [types.function(index) for index in module.function_types()] == [
        FunctionType((I32, F64), (I32,))
    ]
    assert [types.function(index) for index in module.tag_types()] == [
        FunctionType((I32,)),
        FunctionType((F64,)),
    ]


def test_types_that_are_not_functions_keep_their_index() -> None:
    types = Module.parse(MODULE).types()
    assert types.types[1:4] == [None, None, FunctionType((), (b"\x64\2",))]
    assert types.function(99) is None


def test_an_appended_type_leaves_a_valid_module() -> None:
    module = Module.parse(MODULE)
    types = module.types()
    known = types.require(FunctionType((I32, F64), (I32,)))
    new = FunctionType((I32,), (I32, I32))
    index = types.require(new)
    assert (known, index) == (0, types.require(new))
    changed = module.with_payload(SectionId.TYPE, types.encode())
    validate(changed.encode())
    assert changed.types().function(index) == new


def test_custom_sections_are_found_by_name() -> None:
    custom = Section(SectionId.CUSTOM, b"\1\2", "notes")
    module = Module.parse(Module((*Module.parse(MODULE).sections, custom)).encode())
    found = module.custom("notes")
    assert found
    assert (found.payload, found.name) == (b"\1\2", "notes")
    assert module.encode()[found.offset :] == b"\1\2"
    assert module.custom("other") is None
    assert module.section(SectionId.START) is None


def test_a_module_without_sections_has_nothing() -> None:
    module = Module.parse(Module().encode())
    assert (module.imports(), module.exports(), module.function_types()) == ((), (), ())
    assert (module.tag_types(), module.dylink(), module.types().types) == ((), None, [])
