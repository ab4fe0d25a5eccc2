"""The dynamic linker, with libraries made by hand."""

from __future__ import annotations

import pytest
import wasmtime

from rlm_kernel.emscripten import GuestExit
from rlm_kernel.emscripten.linking.calls import FILE_DATA
from rlm_kernel.emscripten.program import TABLE_MAX
from rlm_kernel.errors import MalformedModule
from rlm_kernel.wasm import Dylink, ImportInfo, Module, Section, SectionId, SideModule
from tests.emscripten.guest import MEMORY_LIMIT
from tests.emscripten.side_modules import (
    DOUBLE,
    Linking,
    library,
    opened,
    refusal,
    side_module,
)

SEVEN = '(module (func (export "seven") (result i32) (i32.const 7)))'
MEMORY = '(import "env" "memory" (memory 0))'
TABLE = '(import "env" "__indirect_function_table" (table 0 funcref))'
BASES = """(import "env" "__memory_base" (global $data i32))
  (import "env" "__table_base" (global $functions i32))"""


def test_a_function_of_a_library_is_called_by_its_number() -> None:
    guest, handle = opened("/lib/a.so", SEVEN)
    assert guest.run(handle, "seven") == 7


def test_a_library_has_zeroed_data_of_its_own_where_its_segments_are_put() -> None:
    text = f"""(module {MEMORY} {BASES}
      (data (global.get $data) "\\2a")
      (global (export "start") i32 (i32.const 4))
      (func (export "first") (result i32) (i32.load8_u (global.get $data)))
      (func (export "rest") (result i32) (i32.load (i32.add (global.get $data) (i32.const 4)))))"""
    guest = Linking([library("/a.so", text, Dylink(memory_size=64, memory_alignment=6))])
    dirty = guest.room(4096)
    guest.memory.write(dirty, b"\xff" * 4096)
    handle = guest.open_library("/a.so")
    assert (guest.run(handle, "first"), guest.run(handle, "rest")) == (42, 0)
    assert (guest.symbol(handle, "start") - 4) % 64 == 0


def test_functions_of_a_library_have_their_place_in_the_table() -> None:
    text = f"""(module {MEMORY} {TABLE} {BASES}
      (type $none (func (result i32)))
      (elem (global.get $functions) $one $two)
      (func $one (result i32) (i32.const 1))
      (func $two (result i32) (i32.const 2))
      (func (export "second") (result i32)
        (call_indirect (type $none) (i32.add (global.get $functions) (i32.const 1)))))"""
    guest = Linking([library("/a.so", text, Dylink(table_size=2, table_alignment=3))])
    before = guest.functions
    handle = guest.open_library("/a.so")
    assert guest.run(handle, "second") == 2
    assert guest.functions >= before + 2


def test_addresses_come_from_the_main_module_and_from_the_library_itself() -> None:
    text = f"""(module {MEMORY} {BASES}
      (import "GOT.mem" "answer" (global $answer (mut i32)))
      (import "GOT.mem" "own" (global $own (mut i32)))
      (global (export "own") i32 (i32.const 8))
      (func (export "theirs") (result i32) (global.get $answer))
      (func (export "offset") (result i32) (i32.sub (global.get $own) (global.get $data))))"""
    guest, handle = opened("/a.so", text, Dylink(memory_size=16))
    assert guest.run(handle, "theirs") == 1234
    assert guest.run(handle, "offset") == 8


def test_a_function_has_one_number_whoever_asks() -> None:
    text = """(module
      (import "GOT.func" "double" (global $double (mut i32)))
      (import "GOT.func" "lonely" (global $lonely (mut i32)))
      (func (export "known") (result i32) (global.get $double))
      (func (export "new") (result i32) (global.get $lonely)))"""
    guest = Linking([library("/a.so", text), library("/b.so", text)])
    first, second = guest.open_library("/a.so"), guest.open_library("/b.so")
    assert guest.run(first, "known") == guest.run(second, "known") == DOUBLE
    assert guest.run(first, "new") == guest.run(second, "new") == guest.symbol(0, "lonely")


def test_a_library_calls_the_main_module_and_the_host() -> None:
    text = """(module
      (import "env" "double" (func $double (param i32) (result i32)))
      (import "env" "emscripten_get_heap_max" (func $heap_max (result i32)))
      (func (export "twice") (param i32) (result i32) (call $double (local.get 0)))
      (func (export "limit") (result i32) (call $heap_max)))"""
    guest, handle = opened("/a.so", text)
    assert guest.run(handle, "twice", 21) == 42
    assert guest.run(handle, "limit") == MEMORY_LIMIT


def test_a_library_may_import_what_it_exports_itself() -> None:
    text = """(module
      (import "env" "late" (func $late (param i32) (result i32)))
      (func (export "late") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
      (func (export "through") (param i32) (result i32) (call $late (local.get 0))))"""
    guest, handle = opened("/a.so", text)
    assert guest.run(handle, "through", 41) == 42


def test_relocations_come_before_constructors_and_both_see_the_addresses() -> None:
    text = f"""(module {MEMORY} {BASES}
      (import "GOT.mem" "answer" (global $answer (mut i32)))
      (func (export "__wasm_call_ctors")
        (i32.store offset=4 (global.get $data) (i32.load (global.get $data))))
      (func (export "__wasm_apply_data_relocs")
        (i32.store (global.get $data) (global.get $answer)))
      (func (export "value") (result i32) (i32.load offset=4 (global.get $data))))"""
    guest, handle = opened("/a.so", text, Dylink(memory_size=8))
    assert guest.run(handle, "value") == 1234


def test_an_exception_of_one_library_is_caught_in_another() -> None:
    tag = '(import "env" "__cpp_exception" (tag $thrown (param i32)))'
    throwing = f"""(module {tag}
      (func (export "fail") (param i32) (result i32) (throw $thrown (local.get 0))))"""
    catching = f"""(module {tag}
      (import "env" "fail" (func $fail (param i32) (result i32)))
      (import "env" "own" (func $own (param i32) (result i32)))
      (func (export "own") (param i32) (result i32) (call $fail (local.get 0)))
      (func (export "caught") (param i32) (result i32)
        (block $handler (result i32)
          (try_table (catch $thrown $handler) (drop (call $own (local.get 0))))
          (i32.const -1))))"""
    needs = Dylink(needed=("throwing.so",))
    guest = Linking([library("/throwing.so", throwing), library("/a.so", catching, needs)])
    assert guest.run(guest.open_library("/a.so"), "caught", 5) == 5


@pytest.mark.parametrize(
    ("place", "runtime_paths"),
    [
        ("/wheel/needed.so", ()),
        ("/site/thing.libs/needed.so", ()),
        ("/usr/lib/needed.so", ()),
        ("/wheel/inner/needed.so", ("$ORIGIN/inner",)),
        ("/needed.so", ("$ORIGIN/..",)),
    ],
)
def test_a_needed_library_is_found(place: str, runtime_paths: tuple[str, ...]) -> None:
    using = """(module (import "env" "seven" (func $seven (result i32)))
      (func (export "value") (result i32) (call $seven)))"""
    dylink = Dylink(needed=("needed.so",), runtime_paths=runtime_paths)
    guest = Linking([library("/wheel/a.so", using, dylink), library(place, SEVEN)])
    handle = guest.open_library("/wheel/a.so")
    assert guest.run(handle, "value") == 7
    assert guest.run(handle, "seven") == 7  # dlsym looks into what a library needs, too


def test_libraries_may_need_each_other() -> None:
    def half(own: str, other: str, last: int) -> str:
        return f"""(module {BASES}
          (import "env" "{other}" (func $other (param i32) (result i32)))
          (import "GOT.mem" "{other}_data" (global $theirs (mut i32)))
          (global (export "{own}_data") i32 (i32.const 4))
          (func (export "{own}_sees") (result i32) (global.get $theirs))
          (func (export "{own}") (param i32) (result i32)
            (if (result i32) (i32.eqz (local.get 0))
              (then (i32.const {last}))
              (else (call $other (i32.sub (local.get 0) (i32.const 1)))))))"""

    guest = Linking(
        [
            library("/a.so", half("a", "b", 10), Dylink(memory_size=8, needed=("b.so",))),
            library("/b.so", half("b", "a", 20), Dylink(memory_size=8, needed=("a.so",))),
        ]
    )
    handle = guest.open_library("/a.so")
    assert [guest.run(handle, "a", steps) for steps in (0, 1, 2, 3)] == [10, 20, 10, 20]
    assert guest.run(handle, "a_sees") == guest.symbol(handle, "b_data")
    assert guest.run(handle, "b_sees") == guest.symbol(handle, "a_data")


def test_opening_twice_gives_the_same_library_without_running_it_again() -> None:
    text = f"""(module {MEMORY} {BASES}
      (func (export "__wasm_call_ctors") (i32.store (global.get $data)
        (i32.add (i32.load (global.get $data)) (i32.const 1))))
      (func (export "starts") (result i32) (i32.load (global.get $data))))"""
    guest = Linking([library("/a.so", text, Dylink(memory_size=4))])
    guest.files.make_symlink("/link.so", None, "a.so")
    handles = [guest.open_library(path) for path in ("/a.so", "/a.so", "a.so", "/link.so")]
    size = guest.functions
    assert {guest.number_of(handle) for handle in handles} == {1}
    assert {guest.run(handle, "starts") for handle in handles} == {1}
    assert guest.functions <= size + 1


def test_libraries_opened_for_all_serve_those_that_come_later() -> None:
    using = """(module (import "env" "seven" (func $seven (result i32)))
      (func (export "value") (result i32) (call $seven)))"""
    guest = Linking([library("/a.so", using), library("/seven.so", SEVEN)])
    guest.open_library("/seven.so")
    assert guest.open_library("/a.so") == 0
    assert guest.symbol(0, "seven") == 0
    assert guest.open_library("/seven.so", for_all=True)
    assert guest.run(guest.open_library("/a.so"), "value") == 7
    assert guest.run(0, "seven") == 7


def test_the_main_module_comes_first_and_a_stranger_not_at_all() -> None:
    other = '(module (func (export "double") (param i32) (result i32) (i32.const 0)))'
    using = """(module (import "env" "double" (func $double (param i32) (result i32)))
      (func (export "double") (param i32) (result i32) (i32.const 1))
      (func (export "value") (param i32) (result i32) (call $double (local.get 0))))"""
    guest = Linking([library("/a.so", using), library("/other.so", other)])
    guest.open_library("/other.so")
    handle = guest.open_library("/a.so")
    assert guest.run(handle, "value", 4) == 8
    assert guest.run(handle, "double", 4) == 1  # its own, where it is asked for by handle


def test_weak_symbols_may_be_missing() -> None:
    text = """(module
      (import "GOT.mem" "nowhere" (global $data (mut i32)))
      (import "GOT.func" "never" (global $function (mut i32)))
      (import "env" "never" (func $never (result i32)))
      (func (export "addresses") (result i32) (i32.or (global.get $data) (global.get $function)))
      (func (export "called") (result i32) (call $never)))"""
    weak = (ImportInfo("GOT.mem", "nowhere", 1), ImportInfo("env", "never", 1))
    guest, handle = opened("/a.so", text, Dylink(imports=weak))
    assert guest.run(handle, "addresses") == 0
    with pytest.raises(wasmtime.Trap, match="uninitialized element"):
        guest.run(handle, "called")


@pytest.mark.parametrize(
    "entry",
    [
        '"env" "nowhere" (func)',
        '"GOT.mem" "nowhere" (global (mut i32))',
        '"GOT.func" "nowhere" (global (mut i32))',
        '"env" "nowhere" (tag)',
        '"env" "nowhere" (global i32)',
        '"elsewhere" "nowhere" (func)',
    ],
)
def test_an_undefined_symbol_is_named_and_nothing_is_loaded(entry: str) -> None:
    guest = Linking([library("/a.so", f"(module (import {entry}))", Dylink(table_size=3))])
    before = guest.functions
    for _ in range(2):
        assert guest.open_library("/a.so") == 0
        assert guest.error() == "/a.so: undefined symbol: nowhere"
    assert guest.functions == before


def test_a_function_of_another_type_is_refused() -> None:
    wrong = '(module (import "env" "double" (func (param f64))))'
    text = refusal("/a.so", [library("/a.so", wrong)])
    assert text.startswith("/a.so: incompatible import type for `env::double`")


def test_a_function_of_another_library_and_another_type_is_refused() -> None:
    using = '(module (import "env" "seven" (func (param i64 f32) (result f64))))'
    libraries = [library("/a.so", using, Dylink(needed=("s.so",))), library("/s.so", SEVEN)]
    assert refusal("/a.so", libraries) == (
        "/a.so: symbol seven is imported as (i64, f32) -> (f64), "
        "and /s.so defines it as () -> (i32)"
    )


def test_what_failed_half_way_is_not_tried_again() -> None:
    wrong = '(module (import "env" "double" (func (param f64))))'
    guest = Linking([library("/a.so", wrong, Dylink(table_size=5))])
    reasons, sizes = set(), set()
    for _ in range(3):
        assert guest.open_library("/a.so") == 0
        reasons.add(guest.error())
        sizes.add(guest.functions)
    assert len(reasons) == len(sizes) == 1


def test_a_missing_needed_library_is_named() -> None:
    text = refusal("/a.so", [library("/a.so", SEVEN, Dylink(needed=("libgone.so",)))])
    assert text == "/a.so: needs libgone.so, which is not installed"


@pytest.mark.parametrize(
    ("dylink", "reason"),
    [
        (Dylink(memory_size=0xFFFFFFF0), "no memory for its 4294967280 bytes of data"),
        (Dylink(memory_size=MEMORY_LIMIT), f"no memory for its {MEMORY_LIMIT} bytes of data"),
        (Dylink(table_size=TABLE_MAX), "no room in the function table"),
        (Dylink(table_size=0xFFFFFFFF), "no room in the function table"),
        (Dylink(memory_size=8, memory_alignment=31), "alignment that it asks for is too large"),
        (Dylink(table_alignment=0xFFFFFFFF), "alignment that it asks for is too large"),
    ],
)
def test_sizes_beyond_the_limits_are_refused(dylink: Dylink, reason: str) -> None:
    assert reason in refusal("/a.so", [library("/a.so", SEVEN, dylink)])


def test_a_heap_that_has_no_room_left_is_told() -> None:
    guest = Linking([library("/a.so", SEVEN, Dylink(memory_size=MEMORY_LIMIT // 2))])
    guest.room(MEMORY_LIMIT // 2)
    assert guest.open_library("/a.so") == 0
    assert "no memory" in guest.error()


@pytest.mark.parametrize("name", ["nothing", "", "x" * 5000, "naïve"])
def test_a_symbol_that_is_missing_is_told(name: str) -> None:
    guest, handle = opened("/a.so", SEVEN)
    for where in (handle, 0, 0xFFFFFFFF):
        assert guest.symbol(where, name) == 0
        assert guest.error() == f"undefined symbol: {name}"


def test_a_handle_that_was_tampered_with_is_refused() -> None:
    guest, handle = opened("/a.so", SEVEN)
    for number in (0, 2, 0xFFFFFFFF):
        guest.memory.write_u32(handle + 32, number)
        assert guest.symbol(handle, "seven") == 0
        assert guest.error() == "invalid library handle"


def test_a_file_that_is_not_there_is_told() -> None:
    guest = Linking([])
    assert guest.open_library("/lib/gone.so") == 0
    assert guest.error() == "/lib/gone.so: cannot open shared object file: No such file"


def test_only_what_the_host_installed_is_loaded() -> None:
    installed = library("/a.so", SEVEN)
    guest = Linking([installed])
    fd = guest.open("/copy.so", 0o102)
    guest.write(fd, bytes(installed.content))
    guest.files.add_image({"/image.so": side_module(SEVEN, Dylink())})
    guest.files.make_directories("/folder")
    for path in ("/copy.so", "/image.so", "/folder"):
        assert guest.open_library(path) == 0
        assert guest.error() == f"{path}: only libraries that the host installed can be loaded"


def test_a_library_that_the_guest_has_written_to_is_refused() -> None:
    guest = Linking([library("/a.so", SEVEN)])
    fd = guest.open("/a.so", 2)
    guest.write(fd, b"\0")  # as it was: no byte has changed
    assert guest.open_library("/a.so") == 0
    assert "only libraries that the host installed" in guest.error()


def test_the_copy_of_the_file_in_the_guests_memory_is_given_back() -> None:
    guest, handle = opened("/a.so", SEVEN)
    assert guest.memory.read_u32(handle + FILE_DATA) == 0


def test_a_constructor_that_traps_ends_the_guest() -> None:
    text = '(module (func (export "__wasm_call_ctors") unreachable))'
    guest = Linking([library("/a.so", text)])
    with pytest.raises(GuestExit, match="trap"):
        guest.open_library("/a.so")


def test_a_module_without_the_section_is_no_library() -> None:
    with pytest.raises(MalformedModule, match=r"no dylink\.0 section"):
        SideModule.parse(Module.parse(side_module(SEVEN)))


def test_a_broken_section_is_told_with_its_offset() -> None:
    broken = Section(SectionId.CUSTOM, b"\1\5\1\1", "dylink.0")
    module = Module((broken, *Module.parse(side_module(SEVEN)).sections))
    with pytest.raises(MalformedModule, match="unexpected end"):
        SideModule.parse(Module.parse(module.encode()))


def test_a_place_that_another_function_has_taken_is_not_given_out() -> None:
    guest = Linking([])
    first = guest.symbol(0, "lonely")
    guest.program.table.put(first, guest.program.exports.function("double")._func)
    second = guest.symbol(0, "lonely")
    assert second not in (0, first)
    assert guest.program.call("apply", second, 5) == 5
