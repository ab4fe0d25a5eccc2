"""libffi's calls of functions whose types are known only when they are called."""

from __future__ import annotations

from collections.abc import Callable

from rlm_kernel.emscripten.call_stack import CallStack, Frame
from rlm_kernel.emscripten.calling import DEPTH_MAX, GuestCalls, GuestFunction
from rlm_kernel.emscripten.errno import SyscallError
from rlm_kernel.emscripten.foreign_types import (
    Description,
    ForeignCallError,
    Scalar,
    Structure,
    read_description,
)
from rlm_kernel.emscripten.function_table import FunctionTable
from rlm_kernel.emscripten.imports import imported
from rlm_kernel.emscripten.memory import GuestMemory

FOREIGN_DEPTH_MAX = DEPTH_MAX - 20
"""What is nested deeper is refused, while there is still room to tell the guest."""

_NAMES = {"i": "i32", "q": "i64", "f": "f32", "d": "f64", "&": "a reference"}


class ForeignCalls:
    """Calls what is in the function table, if it has the type that the description calls for.

    `refuse(reason)` tells the guest of a call that was not made; then the call returns, and leaves
    the room for its result as it was.
    """

    def __init__(
        self,
        memory: GuestMemory,
        table: FunctionTable,
        calls: GuestCalls,
        stack: CallStack,
        refuse: Callable[[str], None],
    ) -> None:
        self._memory = memory
        self._table = table
        self._calls = calls
        self._stack = stack
        self._refuse = refuse

    @imported("ffi_call_js", "IIII")
    def call(self, cif: int, index: int, result: int, arguments: int) -> None:
        try:
            self._call(read_description(self._memory, cif), index, result, arguments)
        except ForeignCallError as error:
            self._refuse(str(error))
        except SyscallError as error:
            self._refuse(f"the call cannot be made: {error}")

    def _call(self, description: Description, index: int, result: int, arguments: int) -> None:
        function = self._function(index)
        _expect_type(function, description)
        if self._calls.depth >= FOREIGN_DEPTH_MAX:
            raise ForeignCallError("calls through ctypes are nested too deeply")
        with self._stack.frame() as frame:
            words = self._words(description, result, arguments, frame)
            frame.protect()
            word = self._calls.call(function, words[: len(function.signature.parameters)])
        if result and description.signature.result:
            assert isinstance(description.result, Scalar), "others are returned by address"
            description.result.write_widened(self._memory, result, word)

    def _function(self, index: int) -> GuestFunction:
        try:
            return self._table.find(index)
        except SyscallError:
            raise ForeignCallError(f"there is no function at the address {index:#x}") from None

    def _words(
        self, description: Description, result: int, arguments: int, frame: Frame
    ) -> list[int]:
        words = [self._place_of_result(description, result, frame)]
        if not description.returns_by_address:
            words.clear()
        addresses = [
            self._memory.read_u32(arguments + 4 * position)
            for position in range(len(description.arguments))
        ]
        passed = list(zip(description.arguments, addresses, strict=True))
        for kind, address in passed[: description.fixed]:
            words += self._values(kind, address, frame)
        if description.variadic:
            words.append(self._variable(description, passed[description.fixed :], frame))
        return words

    @staticmethod
    def _place_of_result(description: Description, result: int, frame: Frame) -> int:
        if result or not isinstance(description.result, Structure | Scalar):
            return result
        return frame.take(description.result.size)

    def _values(self, kind: Scalar | Structure, address: int, frame: Frame) -> tuple[int, ...]:
        if isinstance(kind, Scalar):
            return kind.read(self._memory, address)
        copy = frame.take(kind.size, kind.alignment)
        self._memory.write(copy, self._memory.slice(address, kind.size))
        return (copy,)

    def _variable(
        self, description: Description, passed: list[tuple[Scalar | Structure, int]], frame: Frame
    ) -> int:
        """The address of the area that holds these."""
        offsets, end = description.variable_layout()
        values = [self._values(kind, address, frame) for kind, address in passed]
        area = frame.take(end)
        for (kind, _), offset, words in zip(passed, offsets, values, strict=True):
            if isinstance(kind, Scalar) and kind.size > 4:
                kind.write(self._memory, area + offset, words)
            else:
                self._memory.write_u32(area + offset, words[0])
        return area


def _expect_type(function: GuestFunction, description: Description) -> None:
    """ForeignCallError where the types differ; C ignores arguments too many, and results."""
    parameters, result = function.signature
    wanted, returned = description.signature.parameters, description.signature.result
    if wanted.startswith(parameters) and (result == returned or "" in (result, returned)):
        return
    raise ForeignCallError(
        f"the function's type is {_type_name(parameters, result)}, "
        f"and it is called as {_type_name(wanted, returned)}"
    )


def _type_name(parameters: str, result: str) -> str:
    taken = ", ".join(_NAMES[code] for code in parameters)
    return f"({taken}) -> {''.join(_NAMES[code] for code in result) or 'nothing'}"
