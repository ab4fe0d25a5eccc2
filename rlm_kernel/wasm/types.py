"""Value types, function types and block types.

A value type is kept as the bytes that encode it (`b"\\x7f"` is i32): it is compared and copied,
never interpreted.
"""

from __future__ import annotations

from dataclasses import dataclass

from rlm_kernel.wasm import leb128
from rlm_kernel.wasm.reader import Reader

I32, I64, F32, F64 = b"\x7f", b"\x7e", b"\x7d", b"\x7c"
EXNREF = b"\x69"

MAX_VALUES = 1000
"""The engines' limit on the parameters, and on the results, of one function type."""

_FUNCTION, _STRUCT, _ARRAY = 0x60, 0x5F, 0x5E
_SUBTYPE, _FINAL_SUBTYPE, _RECURSIVE = 0x50, 0x4F, 0x4E
_REFERENCES = (0x63, 0x64)
_PACKED = (0x77, 0x78)
_EMPTY_BLOCK = 0x40

ValueTypes = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class FunctionType:
    """What a function, a tag or a block takes from the stack and leaves there."""

    params: ValueTypes = ()
    results: ValueTypes = ()

    def encode(self) -> bytes:
        return bytes((_FUNCTION,)) + _encode_values(self.params) + _encode_values(self.results)


class TypeTable:
    """The types of a module by index, to which types may be appended.

    Types other than functions (structs and arrays) keep their index and are None. Raises
    MalformedModule where the type section breaks the format.
    """

    def __init__(self, reader: Reader) -> None:
        self.types: list[FunctionType | None] = []
        self.added = bytearray()
        self._index: dict[FunctionType, int] = {}
        self._groups = reader.u32() if not reader.at_end() else 0
        self._start = reader.position
        for _ in range(self._groups):
            self._read_group(reader)
        reader.expect_end()
        self._original = reader.data[self._start : reader.position]

    def function(self, index: int) -> FunctionType | None:
        """The function type of this index; None if there is none."""
        return self.types[index] if index < len(self.types) else None

    def require(self, wanted: FunctionType) -> int:
        """The index of a type equal to `wanted`, appended if there was none."""
        known = self._index.get(wanted)
        if known is None:
            known = self._index[wanted] = len(self.types)
            self.types.append(wanted)
            self.added += wanted.encode()
            self._groups += 1
        return known

    def encode(self) -> bytes:
        """The payload of the type section."""
        return leb128.unsigned(self._groups) + self._original + self.added

    def _read_group(self, reader: Reader) -> None:
        if reader.position < reader.end and reader.data[reader.position] == _RECURSIVE:
            reader.byte()
            for _ in range(reader.u32()):
                self.types.append(_read_subtype(reader))
            return
        kind = _read_subtype(reader)
        if kind is not None:
            self._index.setdefault(kind, len(self.types))
        self.types.append(kind)


def read_value_type(reader: Reader) -> bytes:
    start = reader.position
    first = reader.byte()
    if first in _REFERENCES:
        reader.s33()
    elif not 0x40 < first < 0x80:
        reader.fail(f"{first:#04x} is not a value type", start)
    return reader.data[start : reader.position]


def read_block_type(reader: Reader, types: TypeTable) -> FunctionType:
    start = reader.position
    first = reader.byte()
    if first == _EMPTY_BLOCK:
        return FunctionType()
    reader.position = start
    if 0x40 < first < 0x80:
        return FunctionType((), (read_value_type(reader),))
    index = reader.s33()
    kind = types.function(index) if index >= 0 else None
    if kind is None:
        reader.fail(f"no function type {index} for a block", start)
    return kind


def is_short_block_type(first: int) -> bool:
    """Whether a block type that begins with this byte is that byte alone."""
    return 0x40 <= first < 0x80 and first not in _REFERENCES


def skip_block_type(reader: Reader) -> None:
    first = reader.data[reader.position] if not reader.at_end() else reader.byte()
    if is_short_block_type(first):
        reader.byte()
    elif first in _REFERENCES:
        read_value_type(reader)
    else:
        reader.s33()


def encode_block_type(kind: FunctionType, types: TypeTable) -> bytes:
    """The immediate of a block of this type; may append to `types`."""
    if not kind.params and len(kind.results) < 2:
        return kind.results[0] if kind.results else bytes((_EMPTY_BLOCK,))
    return leb128.signed(types.require(kind))


def _read_subtype(reader: Reader) -> FunctionType | None:
    start = reader.position
    form = reader.byte()
    if form in (_SUBTYPE, _FINAL_SUBTYPE):
        for _ in range(reader.u32()):
            reader.u32()
        form = reader.byte()
    if form == _FUNCTION:
        return FunctionType(_read_values(reader), _read_values(reader))
    if form == _STRUCT:
        for _ in range(reader.u32()):
            _skip_field(reader)
    elif form == _ARRAY:
        _skip_field(reader)
    else:
        reader.fail(f"{form:#04x} is not a type", start)
    return None


def _read_values(reader: Reader) -> ValueTypes:
    start = reader.position
    count = reader.u32()
    if count > MAX_VALUES:
        reader.fail(f"a function type of {count} values", start)
    return tuple(read_value_type(reader) for _ in range(count))


def _skip_field(reader: Reader) -> None:
    if reader.position < reader.end and reader.data[reader.position] in _PACKED:
        reader.byte()
    else:
        read_value_type(reader)
    reader.byte()


def _encode_values(values: ValueTypes) -> bytes:
    return leb128.unsigned(len(values)) + b"".join(values)
