"""Random nested programs: wasmtime after the translation agrees with the interpreter."""

from __future__ import annotations

import pytest

from tests.wasm.engine import Machine
from tests.wasm.interpreter import Interpreter, TooLong
from tests.wasm.programs import random_program

ARGUMENTS = ((0, 0), (1, 2), (2, 3), (3, 1))


@pytest.mark.parametrize("batch", range(10))
def test_a_random_program_does_the_same_translated_and_interpreted(batch: int) -> None:
    finished = 0
    for seed in range(batch * 15, batch * 15 + 15):
        program = random_program(seed)
        machine = Machine(program)
        for arguments in ARGUMENTS:
            interpreter = Interpreter(program)
            try:
                interpreter.call(len(program.functions), arguments)
            except TooLong:
                break
            machine.logged.clear()
            machine.call("main", *arguments)
            assert machine.logged == interpreter.logged, f"seed {seed}, arguments {arguments}"
            finished += 1
    assert finished >= len(ARGUMENTS) * 10
