"""How libffi describes a call, and how WebAssembly's C ABI passes what it describes.

Numbers and pointers are values. A structure of one element is passed as that element; other
structures, and variable arguments, by address. A `long double` is two i64 as an argument. What is
a structure or a `long double` is returned through an address that comes as the first argument.

Sources: libffi's `include/ffi.h` and `src/wasm/ffi.c`; WebAssembly's `BasicCABI.md`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct

from rlm_kernel.emscripten.imports import Signature
from rlm_kernel.emscripten.memory import GuestMemory

VOID, LONG_DOUBLE, STRUCTURE, POINTER = 0, 4, 13, 14
"""`FFI_TYPE_*`, as the scalars below."""

VARIADIC = 1
"""The flag of a description with variable arguments."""

ARGUMENTS_MAX = 1000
"""Engines' limit on a function's parameters."""

NESTING_MAX = 64
UNBOXED_MAX = 16
"""A structure that is larger is never passed as its one element: ctypes describes an array in
there as a pointer."""

_CIF = Struct("<4xIII8xI")
_FLAGS_OFFSET = 20
_TYPE = Struct("<IHHI")


@dataclass(frozen=True, slots=True)
class Scalar:
    """A number: the WebAssembly values that it is passed as, and how it lies in memory."""

    values: str
    layout: Struct

    @property
    def size(self) -> int:
        return self.layout.size

    def read(self, memory: GuestMemory, address: int) -> tuple[int, ...]:
        """Its values, as bits; what is narrower than an i32 is extended by its own sign."""
        numbers: tuple[int, ...] = self.layout.unpack(memory.slice(address, self.size))
        return tuple([number & 0xFFFFFFFF for number in numbers]) if self.size < 4 else numbers

    def write(self, memory: GuestMemory, address: int, words: tuple[int, ...]) -> None:
        memory.write(address, self._bytes(words))

    def write_widened(self, memory: GuestMemory, address: int, word: int) -> None:
        """As a returned value: libffi promises that no integer is narrower than 32 bits."""
        narrow = self._bytes((word,))
        if self.size < 4:
            memory.write_u32(address, self.layout.unpack(narrow)[0])
        else:
            memory.write(address, narrow)

    def _bytes(self, words: tuple[int, ...]) -> bytes:
        size = self.size // len(words)
        mask = (1 << 8 * size) - 1
        return b"".join([(word & mask).to_bytes(size, "little") for word in words])


SCALARS = {
    1: Scalar("i", Struct("<I")),
    2: Scalar("f", Struct("<I")),
    3: Scalar("d", Struct("<Q")),
    LONG_DOUBLE: Scalar("qq", Struct("<QQ")),
    5: Scalar("i", Struct("<B")),
    6: Scalar("i", Struct("<b")),
    7: Scalar("i", Struct("<H")),
    8: Scalar("i", Struct("<h")),
    9: Scalar("i", Struct("<I")),
    10: Scalar("i", Struct("<I")),
    11: Scalar("q", Struct("<Q")),
    12: Scalar("q", Struct("<Q")),
    POINTER: Scalar("i", Struct("<I")),
}
"""By their `FFI_TYPE_*`: int, float, double, long double, integers of 8 to 64 bits, pointer."""


class ForeignCallError(Exception):
    """A call that cannot be made; the guest is told why."""


@dataclass(frozen=True, slots=True)
class Structure:
    """A structure that is passed by the address of a copy."""

    size: int
    alignment: int
    values = "i"


ForeignType = Scalar | Structure | None
"""None is `void`."""


@dataclass(frozen=True, slots=True)
class Description:
    """What a `ffi_cif` says: `fixed` of the arguments are passed one by one."""

    arguments: tuple[Scalar | Structure, ...]
    fixed: int
    variadic: bool
    result: ForeignType
    returns_by_address: bool = field(init=False)
    signature: Signature = field(init=False)
    """The values that the function takes and the one that it returns, if any."""

    def __post_init__(self) -> None:
        result = self.result
        by_address = isinstance(result, Structure) or result is SCALARS[LONG_DOUBLE]
        fixed = "".join([argument.values for argument in self.arguments[: self.fixed]])
        parameters = "i" * by_address + fixed + "i" * self.variadic
        returned = "" if result is None or by_address else result.values
        object.__setattr__(self, "returns_by_address", by_address)
        object.__setattr__(self, "signature", Signature(parameters, returned))

    def variable_layout(self) -> tuple[list[int], int]:
        """Where the variable arguments lie in their area, and how long it is.

        They are in order, each at a multiple of its size and of at least 4; of a structure it is
        the address that lies there.
        """
        offsets, end = [], 0
        for kind in self.arguments[self.fixed :]:
            size = max(kind.size, 4) if isinstance(kind, Scalar) else 4
            alignment = min(size, 8)
            start = -(-end // alignment) * alignment
            offsets.append(start)
            end = start + size
        return offsets, end


def read_description(memory: GuestMemory, cif: int) -> Description:
    """The `ffi_cif` at this address. Raises ForeignCallError, or SyscallError for bad addresses."""
    count, types, result, fixed = _CIF.unpack(memory.slice(cif, _CIF.size))
    variadic = bool(memory.read_u32(cif + _FLAGS_OFFSET) & VARIADIC)
    if not (fixed <= count <= ARGUMENTS_MAX if variadic else fixed == count <= ARGUMENTS_MAX):
        raise ForeignCallError(f"a function of {count} arguments cannot be called")
    arguments = []
    for position in range(count):
        argument = _read_type(memory, memory.read_u32(types + 4 * position))
        if argument is None:
            raise ForeignCallError("an argument has no type")
        arguments.append(argument)
    return Description(tuple(arguments), fixed, variadic, _read_type(memory, result))


def _read_type(memory: GuestMemory, address: int) -> ForeignType:
    for _ in range(NESTING_MAX):
        size, alignment, number, elements = _TYPE.unpack(memory.slice(address, _TYPE.size))
        if number != STRUCTURE:
            if number not in SCALARS and number != VOID:
                raise ForeignCallError(f"values of libffi's type {number} cannot be passed")
            return SCALARS.get(number)
        if size > UNBOXED_MAX:
            return Structure(size, alignment)
        first = memory.read_u32(elements)
        if first == 0:
            return None
        if memory.read_u32(elements + 4) != 0:
            return Structure(size, alignment)
        address = first
    raise ForeignCallError("a structure is nested too deeply")
