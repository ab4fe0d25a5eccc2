"""Programs run for their behaviour: in wasmtime after the translation, and interpreted."""

from __future__ import annotations

from functools import cache
from typing import cast

import wasmtime

from rlm_kernel.wasm import translate_exceptions
from tests.wasm.assembler import Program, assemble
from tests.wasm.interpreter import Interpreter


class Machine:
    """A translated program in wasmtime; `logged` is what it has given to `log`."""

    def __init__(self, program: Program) -> None:
        self.logged: list[int] = []
        module = wasmtime.Module(engine(), translate_exceptions(program.encode()))
        self._store = wasmtime.Store(engine())
        kind = wasmtime.FuncType([wasmtime.ValType.i32()], [])
        log = wasmtime.Func(self._store, kind, self.logged.append)
        self._exports = wasmtime.Instance(self._store, module, [log]).exports(self._store)

    def call(self, name: str, *arguments: int) -> list[int]:
        """What the function returns; wasmtime.Trap if it throws."""
        results = cast(wasmtime.Func, self._exports[name])(self._store, *arguments)
        if results is None:
            return []
        return list(results) if isinstance(results, list) else [results]


@cache
def engine() -> wasmtime.Engine:
    """An engine that knows the standard exception handling and not the legacy one."""
    config = wasmtime.Config()
    config.wasm_exceptions = True
    config.wasm_gc = True
    config.wasm_function_references = True
    return wasmtime.Engine(config)


def validate(module: bytes) -> None:
    """Raises wasmtime.WasmtimeError if the module is not valid."""
    wasmtime.Module.validate(engine(), module)


def behaviour(program: Program, *arguments: int) -> tuple[list[int], list[int]]:
    """What `main` returns and what is logged on the way, on which both opinions must agree."""
    machine, interpreter = Machine(program), Interpreter(program)
    results = machine.call("main", *arguments)
    main = 1 + list(program.functions).index("main")
    assert interpreter.call(main, arguments) == results
    assert interpreter.logged == machine.logged
    return results, machine.logged


TAGS = {"empty": "", "one": "i32", "two": "i32 i64"}


def main(code: str, signature: str = "(param i32) (result i32)", locals_: str = "") -> Program:
    """A program of `main`, and of `thrower`, which throws $one with its argument."""
    thrower = ("(param i32)", "", "local.get 0\n throw $one")
    return assemble(TAGS, {"thrower": thrower, "main": (signature, locals_, code)})


def result(program: Program, *arguments: int) -> int:
    """The one result of `main`, on which both opinions agree."""
    results, _ = behaviour(program, *arguments)
    assert len(results) == 1
    return results[0]
