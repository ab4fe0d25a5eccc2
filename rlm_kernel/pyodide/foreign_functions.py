"""What `ctypes` needs of the host, and how it hears of a call that the host refuses."""

from __future__ import annotations

from rlm_kernel.emscripten.closures import Closures
from rlm_kernel.emscripten.errno import SyscallError
from rlm_kernel.emscripten.foreign_calls import ForeignCalls
from rlm_kernel.emscripten.imports import GuestExit
from rlm_kernel.emscripten.process import ABORTED
from rlm_kernel.emscripten.program import Program

EXCEPTION = "PyExc_ValueError"
"""What ctypes raises for calls with wrong arguments, where it can tell."""


def foreign_functions(program: Program) -> tuple[object, ...]:
    """libffi's host functions, for a program that is CPython."""

    def refuse(reason: str) -> None:
        try:
            raise_in_guest(program, reason)
        except SyscallError:  # its stack is full: it must not go on as if the call had been made
            raise GuestExit(ABORTED, reason) from None

    calls = ForeignCalls(program.memory, program.table, program.calls, program.stack, refuse)
    closures = Closures(
        program.memory,
        program.table,
        program.calls,
        program.stack,
        new_function=program.new_function,
        allocate=lambda size: program.call_back("malloc", size),
        free=lambda address: program.call_back("free", address),
        trap=program.trap,
    )
    return calls, closures


def raise_in_guest(program: Program, message: str) -> None:
    """Sets an exception, from a host function that CPython called with or without its lock.

    It is raised when the call returns; where C code saw a result, as the cause of a SystemError.
    """
    encoded = message.encode() + b"\0"
    with program.stack.frame() as frame:
        text = frame.take(len(encoded))
        program.memory.write(text, encoded)
        frame.protect()
        state = program.call_back("PyGILState_Ensure")
        kind = program.memory.read_u32(program.exports.address(EXCEPTION))
        program.call_back("PyErr_SetString", kind, text)
        program.call_back("PyGILState_Release", state)
