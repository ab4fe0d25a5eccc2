"""A program: its constructors, its exports, its strings, its memory's limit."""

from __future__ import annotations

import pytest

from rlm_kernel.emscripten import GuestExit
from rlm_kernel.errors import ZygoteError
from tests.emscripten.guest import FIRST_PAGES, IMPORTS, MEMORY_LIMIT, PAGE, Guest, program_text

CONSTRUCTED = """
(module (memory (export "memory") 1) (global (export "done") (mut i32) (i32.const 0))
  (func (export "__wasm_call_ctors") (global.set 0 (i32.const 1)) (i32.store (i32.const 8)
  (i32.const 77))))
"""


def test_constructors_have_run_and_see_the_memory() -> None:
    guest = Guest(CONSTRUCTED)
    assert guest.program.exports.address("done") == 1
    assert guest.memory.read_u32(8) == 77


def test_a_constructor_may_end_the_process() -> None:
    text = """(module (import "env" "exit" (func $exit (param i32)))
      (memory (export "memory") 1)
      (func (export "__wasm_call_ctors") (call $exit (i32.const 3))))"""
    with pytest.raises(GuestExit, match="exit 3"):
        Guest(text)


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("(module)", "memory named memory"),
        ('(module (memory (export "memory") 1))', "func named __wasm_call_ctors"),
        ('(module (func (export "memory")))', "memory named memory"),
    ],
)
def test_a_module_without_what_a_program_needs_is_refused(text: str, missing: str) -> None:
    with pytest.raises(ZygoteError, match=missing):
        Guest(text)


def test_an_export_is_found_by_name_and_kind(guest: Guest) -> None:
    exports = guest.program.exports
    assert exports.find("malloc") is not None
    assert exports.find("nothing") is None
    with pytest.raises(ZygoteError, match="no table named malloc"):
        exports.table("malloc")


def test_a_string_is_put_into_the_guest(guest: Guest) -> None:
    address = guest.program.string("naïve")
    assert guest.memory.read_cstring(address, 100).decode() == "naïve"


def test_a_string_for_which_there_is_no_room_is_an_error_and_not_written() -> None:
    text = program_text(IMPORTS).replace('"malloc"', '"other"')
    without_room = text[:-1] + '(func (export "malloc") (param i32) (result i32) (i32.const 0)))'
    guest = Guest(without_room)
    with pytest.raises(ZygoteError, match="no room"):
        guest.program.string("text")
    assert guest.memory.read(0, 8) == bytes(8)


def test_memory_grows_up_to_the_limit_and_not_beyond(guest: Guest) -> None:
    assert guest.memory.size == FIRST_PAGES * PAGE
    assert guest.call("emscripten_get_heap_max") == MEMORY_LIMIT
    assert guest.call("emscripten_resize_heap", MEMORY_LIMIT) == 1
    assert guest.memory.size == MEMORY_LIMIT
    assert guest.call("emscripten_resize_heap", MEMORY_LIMIT + 1) == 0
    assert guest.call("emscripten_resize_heap", -1) == 0
    assert guest.memory.size == MEMORY_LIMIT


def test_memory_grows_by_a_fifth_so_that_it_does_not_often(guest: Guest) -> None:
    before = guest.memory.size
    assert guest.call("emscripten_resize_heap", before + 1) == 1
    assert guest.memory.size - before == -(-before // 5 // PAGE) * PAGE


def test_memory_that_is_large_enough_does_not_grow(guest: Guest) -> None:
    before = guest.memory.size
    for size in (0, 1, before):
        assert guest.call("emscripten_resize_heap", size) == 1
    assert guest.memory.size == before
