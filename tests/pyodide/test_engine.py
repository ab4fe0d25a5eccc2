"""The engine's configuration: what the guest and its host rely on."""

from __future__ import annotations

import ctypes
import threading

import wasmtime

from rlm_kernel.pyodide.cpu import Level
from rlm_kernel.pyodide.engine import MIB, WASM_STACK_BYTES, fingerprint, make_engine


def instantiate(text: str, export: str) -> tuple[wasmtime.Store, object]:
    made = make_engine()
    store = wasmtime.Store(made)
    instance = wasmtime.Instance(store, wasmtime.Module(made, text), [])
    return store, instance.exports(store)[export]


def address(memory: wasmtime.Memory, store: wasmtime.Store) -> int | None:
    return ctypes.cast(memory.data_ptr(store), ctypes.c_void_p).value


def test_a_memory_never_moves_however_it_grows() -> None:
    store, memory = instantiate('(module (memory (export "memory") 1 32768))', "memory")
    assert isinstance(memory, wasmtime.Memory)
    before = address(memory, store)
    for _ in range(8):
        memory.grow(store, 4096 - 1)
    assert memory.data_len(store) > 2000 * MIB
    assert address(memory, store) == before


def test_exceptions_and_type_tests_are_understood() -> None:
    store, caught = instantiate(
        """
        (module
          (type $none (func))
          (tag $oops)
          (func $f)
          (elem declare func $f)
          (func (export "caught") (result i32)
            (block $handler (try_table (catch $oops $handler) (throw $oops)) (return (i32.const 0)))
            (ref.test (ref $none) (ref.func $f))))
        """,
        "caught",
    )
    assert isinstance(caught, wasmtime.Func)
    assert caught(store) == 1


def test_recursion_traps_only_past_a_deep_stack_and_the_instance_lives_on() -> None:
    seen: list[object] = []

    def recurse() -> None:
        store, down = instantiate(
            """
            (module (func $down (export "down") (param i32) (result i32)
              (if (result i32) (local.get 0)
                (then (i32.add (i32.const 1) (call $down (i32.sub (local.get 0) (i32.const 1)))))
                (else (i32.const 0)))))
            """,
            "down",
        )
        assert isinstance(down, wasmtime.Func)
        seen.append(down(store, 1_000_000))
        try:
            down(store, -1)
        except wasmtime.Trap as trap:
            seen.append(trap.trap_code)
        seen.append(down(store, 10))

    # Beside the guest's frames the host needs some: the engine trusts that the thread has both.
    before = threading.stack_size(WASM_STACK_BYTES + 64 * MIB)
    try:
        thread = threading.Thread(target=recurse)
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    assert seen == [1_000_000, wasmtime.TrapCode.STACK_OVERFLOW, 10]


def test_compiled_code_is_named_by_the_level_of_the_cpu_too() -> None:
    here = fingerprint(Level("one"))
    assert here == fingerprint(Level("one"))
    assert here != fingerprint(Level("another"))
