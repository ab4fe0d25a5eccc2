"""How Python methods become functions of the guest, and what becomes of their errors."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
import wasmtime

from rlm_kernel.emscripten import Errno, GuestExit, SyscallError, imported
from rlm_kernel.emscripten.imports import Signature, declared_imports, syscall, wasi
from rlm_kernel.errors import ConfigurationError
from tests.emscripten.guest import IMPORTS, Guest, declared_by, program_text

Action = Callable[..., Any]


class Calls:
    """Functions whose behaviour a test chooses; they keep the arguments they were called with."""

    def __init__(self, action: Action = lambda: 0) -> None:
        self.action = action
        self.arguments: list[tuple[Any, ...]] = []

    def _run(self, *arguments: Any) -> Any:
        self.arguments.append(arguments)
        return self.action()

    @imported("take_all", "iIqd", "i", lambda errno: -1)
    def take_all(self, *arguments: Any) -> Any:
        return self._run(*arguments)

    @imported("give_long", "", "q", lambda errno: -errno)
    def give_long(self) -> Any:
        return self._run()

    @imported("give_float", "", "d")
    def give_float(self) -> Any:
        return self._run()

    @imported("give_nothing", "I")
    def give_nothing(self, argument: int) -> Any:
        return self._run(argument)

    @syscall("example", "i")
    def system_call(self, argument: int) -> Any:
        return self._run(argument)

    @wasi("example", "i")
    def interface_call(self, argument: int) -> Any:
        return self._run(argument)


TEXT = program_text([*IMPORTS, *declared_by(Calls)])


def calling(action: Action) -> tuple[Guest, Calls]:
    calls = Calls(action)
    return Guest(TEXT, groups=lambda program: [calls]), calls


def failing(error: BaseException) -> Guest:
    def fail() -> None:
        raise error

    return calling(fail)[0]


def test_arguments_arrive_with_the_sign_that_was_declared() -> None:
    guest, calls = calling(lambda: 0)
    guest.call("take_all", -1, -1, -(1 << 63), -0.5)
    guest.call("take_all", (1 << 31) - 1, 7, (1 << 63) - 1, float("inf"))
    assert calls.arguments == [
        (-1, 0xFFFFFFFF, -(1 << 63), -0.5),
        ((1 << 31) - 1, 7, (1 << 63) - 1, float("inf")),
    ]


def test_results_arrive_whole() -> None:
    assert calling(lambda: -(1 << 63))[0].call("give_long") == -(1 << 63)
    assert calling(lambda: 0.1)[0].call("give_float") == 0.1
    assert calling(lambda: 0xFFFFFFFF)[0].call("take_all", 0, 0, 0, 0.0) == -1
    assert calling(lambda: None)[0].call("give_nothing", 1) is None


def test_an_enum_is_a_result_too() -> None:
    assert calling(lambda: Errno.ENOENT)[0].call("example", 0) == 44


def test_a_system_call_fails_with_its_errno_made_negative() -> None:
    guest = failing(SyscallError(Errno.ENOENT))
    assert guest.syscall("example", 0) == -44


def test_a_wasi_function_fails_with_its_errno() -> None:
    assert failing(SyscallError(Errno.ENOENT)).call("example", 0) == 44


def test_any_other_function_fails_as_it_declares() -> None:
    guest = failing(SyscallError(Errno.ENOENT))
    assert guest.call("take_all", 0, 0, 0, 0.0) == -1
    assert guest.call("give_long") == -44
    assert guest.call("give_float") == 0
    assert guest.call("give_nothing", 0) is None


@pytest.mark.parametrize(
    "error", [ValueError("a bug"), OSError(2, "host"), RecursionError(), AssertionError()]
)
def test_a_bug_of_the_host_is_an_input_output_error_to_the_guest(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    guest = failing(error)
    with caplog.at_level(logging.ERROR):
        assert guest.syscall("example", 0) == -Errno.EIO
    assert "__syscall_example" in caplog.text
    assert guest.call("example", 0) == Errno.EIO


@pytest.mark.parametrize("result", [None, "text", 1.5])
def test_a_result_of_the_wrong_type_is_a_bug_of_the_host(
    result: object, caplog: pytest.LogCaptureFixture
) -> None:
    guest, _ = calling(lambda: result)
    assert guest.syscall("example", 0) == -Errno.EIO
    assert "__syscall_example" in caplog.text


def test_a_host_without_memory_says_so(caplog: pytest.LogCaptureFixture) -> None:
    assert failing(MemoryError()).syscall("example", 0) == -Errno.ENOMEM
    assert caplog.text == ""


def test_the_end_of_the_process_stops_the_guest() -> None:
    with pytest.raises(GuestExit) as caught:
        failing(GuestExit(7)).call("give_nothing", 0)
    assert (caught.value.status, str(caught.value)) == (7, "exit 7")


def test_the_guest_goes_on_after_an_error() -> None:
    guest, calls = calling(lambda: 1 / 0)
    assert guest.syscall("example", 0) == -Errno.EIO
    calls.action = lambda: 5
    assert guest.syscall("example", 0) == 5


STUBS = """
(module
  (import "env" "__syscall_unheard" (func $syscall (param i32 i32) (result i32)))
  (import "env" "__syscall_odd" (func $odd))
  (import "env" "__syscall_long" (func $syscall_long (param i64) (result i64)))
  (import "wasi_snapshot_preview1" "unheard" (func $wasi (param i32) (result i32)))
  (import "env" "number" (func $number (param i32 i32) (result i32)))
  (import "env" "long" (func $long (param i64) (result i64)))
  (import "env" "float" (func $float (param f64) (result f64)))
  (import "env" "single" (func $single (param f32) (result f32)))
  (import "env" "object" (func $object (param i64 externref) (result externref)))
  (import "env" "function" (func $function (param i64) (result funcref)))
  (import "env" "several" (func $several (param i64 i64 i64) (result i32 i64 f64)))
  (import "env" "nothing" (func $nothing (param i32 f64)))
  (import "GOT.func" "weak" (global $weak (mut i32)))
  (memory (export "memory") 1)
  (func (export "__wasm_call_ctors"))
  (func (export "syscall") (result i32) (call $syscall (i32.const -1) (i32.const -1)))
  (func (export "odd") (call $odd))
  (func (export "syscall_long") (result i64) (call $syscall_long (i64.const -1)))
  (func (export "wasi") (result i32) (call $wasi (i32.const -1)))
  (func (export "number") (result i32) (call $number (i32.const -1) (i32.const -1)))
  (func (export "long") (result i64) (call $long (i64.const -1)))
  (func (export "float") (result f64) (call $float (f64.const -1)))
  (func (export "single") (result f32) (call $single (f32.const -1)))
  (func (export "object") (result i32)
    (ref.is_null (call $object (i64.const -1) (ref.null extern))))
  (func (export "function") (result i32) (ref.is_null (call $function (i64.const -1))))
  (func (export "several") (result i32 i64 f64)
    (call $several (i64.const -1) (i64.const -1) (i64.const -1)))
  (func (export "nothing") (call $nothing (i32.const -1) (f64.const -1)))
  (func (export "weak") (result i32) (global.get $weak)))
"""


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("syscall", -Errno.ENOSYS),
        ("odd", None),
        ("syscall_long", 0),
        ("wasi", Errno.ENOSYS),
        ("number", 0),
        ("long", 0),
        ("float", 0.0),
        ("single", 0.0),
        ("object", 1),
        ("function", 1),
        ("several", [0, 0, 0.0]),
        ("nothing", None),
        ("weak", 0),
    ],
)
def test_what_no_host_provides_gives_an_error_or_nothing(name: str, result: object) -> None:
    assert Guest(STUBS).call(name) == result


def test_what_a_program_adds_is_taken_before_the_hosts_own() -> None:
    class Own:
        @imported("emscripten_get_now", "", "d")
        def get_now(self) -> float:
            return 1.5

    assert Guest(groups=lambda program: [Own()]).call("emscripten_get_now") == 1.5


@pytest.mark.parametrize(
    ("parameters", "results", "matches"),
    [
        (["i32", "i32", "i64", "f64"], ["i32"], True),
        (["i32", "i32", "i64"], ["i32"], False),
        (["i32", "i32", "i64", "f64", "i32"], ["i32"], False),
        (["i32", "i32", "i32", "f64"], ["i32"], False),
        (["i32", "i32", "i64", "f64"], ["i64"], False),
        (["i32", "i32", "i64", "f64"], [], False),
        (["i32", "i32", "i64", "f64"], ["i32", "i32"], False),
    ],
)
def test_a_signature_matches_exactly_its_types(
    parameters: list[str], results: list[str], matches: bool
) -> None:
    assert Signature("iIqd", "i").matches(parameters, results) is matches


def test_a_reference_matches_whatever_the_module_calls_it() -> None:
    for name in ("externref", "anyref", "funcref"):
        assert Signature("&", "&").matches([name], [name])


def test_a_module_that_wants_another_type_is_refused() -> None:
    text = """(module (import "env" "__syscall_dup" (func (param i64) (result i32)))
      (memory (export "memory") 1) (func (export "__wasm_call_ctors")))"""
    with pytest.raises(ConfigurationError, match="__syscall_dup"):
        Guest(text)


@pytest.mark.parametrize(
    "wanted", ['"other" (memory 1)', '"other" (table 1 funcref)', '"other" (global i32)']
)
def test_a_module_that_wants_what_no_host_has_is_refused(wanted: str) -> None:
    with pytest.raises(ConfigurationError, match=r"env\.other"):
        Guest(f'(module (import "env" {wanted}) (func (export "__wasm_call_ctors")))')


def test_one_method_may_serve_several_imports() -> None:
    class Twice:
        @imported("one")
        @imported("two")
        def method(self) -> None: ...

    assert sorted(declared.name for declared, _ in declared_imports(Twice())) == ["one", "two"]


def test_no_two_groups_provide_the_same_import() -> None:
    names = [(declared.module, declared.name) for declared in IMPORTS]
    assert len(names) == len(set(names))


def test_a_trap_of_the_guest_is_a_trap() -> None:
    guest = Guest(program_text(IMPORTS, '(func (export "fall") unreachable)'))
    with pytest.raises(wasmtime.Trap, match="unreachable"):
        guest.call("fall")
