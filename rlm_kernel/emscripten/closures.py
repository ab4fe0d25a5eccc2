"""libffi's closures: functions in the guest's table that call back with any arguments.

Each is a host function of the type that is called for. No code is made for it: the engine keeps
one entry for each type that the guest's modules call, and one function of the host's stands behind
all of them, told apart by a number. Functions are never given back to the engine, so what a closure
leaves is used again by the next one of its type.
"""

from __future__ import annotations

import ctypes
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rlm_kernel.emscripten.call_stack import CallStack, Frame
from rlm_kernel.emscripten.calling import GuestCalls
from rlm_kernel.emscripten.errno import Errno, SyscallError
from rlm_kernel.emscripten.foreign_types import (
    Description,
    ForeignCallError,
    Scalar,
    Structure,
    read_description,
)
from rlm_kernel.emscripten.function_table import FunctionTable
from rlm_kernel.emscripten.imports import (
    VALUE_BYTES,
    GuestExit,
    GuestThrow,
    RawCallback,
    Signature,
    Trap,
    imported,
)
from rlm_kernel.emscripten.memory import GuestMemory
from rlm_kernel.emscripten.process import ABORTED

CLOSURES_MAX = 1 << 14
"""Closures at one time, and functions of all types that were ever needed at one time."""

PARAMETERS_MAX = 128
OK, BAD_TYPE = 0, 1
"""`FFI_OK` and `FFI_BAD_TYPEDEF`; source: libffi's `include/ffi.h`."""

RESULT_BYTES = 8


@dataclass(slots=True)
class Closure:
    """A place in the table and, once it is prepared, what a call of it does."""

    place: int
    number: int = -1
    cif: int = 0
    function: int = 0
    user_data: int = 0
    description: Description | None = None


class Closures:
    """`new_function(signature, callback, number)` makes a function of the host's that is called
    with its number; `allocate` and `free` are the guest's `malloc` and `free`; `trap(reason)` ends
    the guest, or lets pass what it threw.
    """

    def __init__(
        self,
        memory: GuestMemory,
        table: FunctionTable,
        calls: GuestCalls,
        stack: CallStack,
        *,
        new_function: Callable[[Signature, Any, int], Any],
        allocate: Callable[[int], int],
        free: Callable[[int], object],
        trap: Trap,
    ) -> None:
        self._memory = memory
        self._table = table
        self._calls = calls
        self._stack = stack
        self._new_function = new_function
        self._allocate = allocate
        self._free = free
        self._trap = trap
        self._closures: dict[int, Closure] = {}
        self._places: list[int] = []
        self._handles: list[Any] = []
        self._targets: list[Closure | None] = []
        self._idle: defaultdict[Signature, list[int]] = defaultdict(list)
        self._callback = RawCallback(self._called)

    @imported("ffi_closure_alloc_js", "II", "I")
    def allocate(self, size: int, code: int) -> int:
        """A new closure's address, 0 where there can be none; its place in the table at `code`."""
        self._memory.slice(code, 4)
        if len(self._closures) >= CLOSURES_MAX:
            return 0
        address = self._allocate(size)
        if address == 0:
            return 0
        self._drop(address)  # where the guest freed it behind libffi's back
        place = self._places.pop() if self._places else self._table.grow()
        self._closures[address] = Closure(place)
        self._memory.write_u32(code, place)
        return address

    @imported("ffi_closure_free_js", "I")
    def free(self, address: int) -> None:
        """Frees a closure; an address that is none is passed over."""
        if self._drop(address):
            self._free(address)

    def _drop(self, address: int) -> bool:
        closure = self._closures.pop(address, None)
        if closure is None:
            return False
        self._unprepare(closure)
        self._places.append(closure.place)
        return True

    def _unprepare(self, closure: Closure) -> None:
        if closure.description is None:
            return
        self._table.put(closure.place, None)
        self._idle[closure.description.signature].append(closure.number)
        self._targets[closure.number] = closure.description = None

    @imported("ffi_prep_closure_loc_js", "IIIII", "i", lambda errno: BAD_TYPE)
    def prepare(self, address: int, cif: int, function: int, user_data: int, code: int) -> int:
        """Has calls of the closure become `function(cif, result, arguments, user_data)`."""
        closure = self._closures.get(address)
        if closure is None or closure.place != code:
            return BAD_TYPE
        try:
            description = read_description(self._memory, cif)
            if len(description.signature.parameters) > PARAMETERS_MAX:
                return BAD_TYPE
        except ForeignCallError:
            return BAD_TYPE
        self._unprepare(closure)
        number = self._number(description.signature)
        closure.number, closure.description = number, description
        closure.cif, closure.function, closure.user_data = cif, function, user_data
        self._targets[number] = closure
        self._table.put(closure.place, self._handles[number])
        return OK

    def _number(self, signature: Signature) -> int:
        """A function of this type that no closure uses."""
        if idle := self._idle.get(signature):  # a type that is only asked for takes no room
            return idle.pop()
        if len(self._handles) >= CLOSURES_MAX:
            raise SyscallError(Errno.ENOMEM)
        number = len(self._handles)
        self._handles.append(self._new_function(signature, self._callback, number))
        self._targets.append(None)
        return number

    def _called(self, number: int | None, _caller: int, values: int, _count: int) -> int:
        """The C callback behind all closures; it never lets an exception out."""
        try:
            closure = self._targets[number or 0]
            if closure is None or closure.description is None:
                raise GuestExit(ABORTED, "a closure was called that is freed")
            self._call(closure, closure.description, values)
            return 0
        except (GuestExit, GuestThrow) as end:
            return self._trap(end)
        except Exception as error:
            return self._trap(GuestExit(ABORTED, f"a closure cannot be called: {error}"))

    def _call(self, closure: Closure, description: Description, values: int) -> None:
        function = self._table.find(closure.function)
        if function.signature != ("iiii", ""):
            raise ForeignCallError("what it calls is of another type")
        words = [
            ctypes.c_uint64.from_address(values + VALUE_BYTES * position).value
            for position in range(len(description.signature.parameters))
        ]
        for position, code in enumerate(description.signature.parameters):
            if code in "if":
                words[position] &= 0xFFFFFFFF
        with self._stack.frame() as frame:
            by_address = description.returns_by_address
            result = words.pop(0) if by_address else frame.take(RESULT_BYTES)
            if not by_address:
                self._memory.clear(result, RESULT_BYTES)  # it stays as it is when a callback fails
            arguments = self._arguments(description, words, frame)
            frame.protect()
            self._calls.call(function, [closure.cif, result, arguments, closure.user_data])
            if description.signature.result:
                self._return(description, result, values)

    def _return(self, description: Description, result: int, values: int) -> None:
        size = 4 if description.signature.result in "if" else RESULT_BYTES
        word = int.from_bytes(self._memory.slice(result, size), "little")
        ctypes.c_uint64.from_address(values).value = word

    def _arguments(self, description: Description, words: list[int], frame: Frame) -> int:
        """The address of an array of the addresses of the arguments."""
        addresses, position = [], 0
        for kind in description.arguments[: description.fixed]:
            taken = tuple(words[position : position + len(kind.values)])
            position += len(kind.values)
            addresses.append(self._place(kind, taken, frame))
        if description.variadic:
            addresses += self._variable(description, words[-1])
        array = frame.take(4 * len(addresses))
        for position, address in enumerate(addresses):
            self._memory.write_u32(array + 4 * position, address)
        return array

    def _place(self, kind: Scalar | Structure, words: tuple[int, ...], frame: Frame) -> int:
        if isinstance(kind, Scalar):
            address = frame.take(kind.size, 8)
            kind.write(self._memory, address, words)
            return address
        address = frame.take(kind.size, kind.alignment)
        self._memory.write(address, self._memory.slice(words[0], kind.size))
        return address

    def _variable(self, description: Description, area: int) -> list[int]:
        addresses = []
        offsets, _ = description.variable_layout()
        for kind, offset in zip(description.arguments[description.fixed :], offsets, strict=True):
            indirect = isinstance(kind, Structure)
            addresses.append(self._memory.read_u32(area + offset) if indirect else area + offset)
        return addresses
