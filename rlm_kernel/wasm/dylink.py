"""The custom section `dylink.0`, by which a side module tells the dynamic linker what it needs.

Its layout is in the WebAssembly tool conventions, "Dynamic Linking".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeVar

from rlm_kernel.wasm import leb128
from rlm_kernel.wasm.reader import Reader

_Item = TypeVar("_Item")


class _Part(IntEnum):
    MEMORY = 1
    NEEDED = 2
    EXPORTS = 3
    IMPORTS = 4
    RUNTIME_PATHS = 5


@dataclass(frozen=True, slots=True)
class ExportInfo:
    """Symbol flags of an export, as in the conventions' WASM_SYMBOL_* bits."""

    name: str
    flags: int


@dataclass(frozen=True, slots=True)
class ImportInfo:
    """Symbol flags of an import, as in the conventions' WASM_SYMBOL_* bits."""

    module: str
    name: str
    flags: int

    @property
    def weak(self) -> bool:
        """Whether the symbol may stay unresolved."""
        return self.flags & 0x3 == 1


@dataclass(frozen=True, slots=True)
class Dylink:
    """What `dylink.0` says.

    Sizes are in bytes (`memory_size`) and table elements (`table_size`); alignments are powers
    of two given as their logarithm. `other` holds the sub-sections that are not known here, by
    number, as they are.
    """

    memory_size: int = 0
    memory_alignment: int = 0
    table_size: int = 0
    table_alignment: int = 0
    needed: tuple[str, ...] = ()
    exports: tuple[ExportInfo, ...] = ()
    imports: tuple[ImportInfo, ...] = ()
    runtime_paths: tuple[str, ...] = ()
    other: tuple[tuple[int, bytes], ...] = ()

    @classmethod
    def parse(cls, payload: bytes, offset: int = 0) -> Dylink:
        """Reads the section's payload (what follows its name), which stands at `offset` of the
        module. Raises MalformedModule."""
        reader = Reader(payload, base=offset)
        memory = (0, 0, 0, 0)
        needed: tuple[str, ...] = ()
        exports: tuple[ExportInfo, ...] = ()
        imports: tuple[ImportInfo, ...] = ()
        runtime_paths: tuple[str, ...] = ()
        other: list[tuple[int, bytes]] = []
        while not reader.at_end():
            number = reader.byte()
            part = _part(reader)
            match number:
                case _Part.MEMORY:
                    memory = (part.u32(), part.u32(), part.u32(), part.u32())
                case _Part.NEEDED:
                    needed = _items(part, Reader.name)
                case _Part.EXPORTS:
                    exports = _items(part, _read_export)
                case _Part.IMPORTS:
                    imports = _items(part, _read_import)
                case _Part.RUNTIME_PATHS:
                    runtime_paths = _items(part, Reader.name)
                case _:
                    other.append((number, part.take(part.end - part.position)))
            part.expect_end()
        return cls(*memory, needed, exports, imports, runtime_paths, tuple(other))

    def encode(self) -> bytes:
        """The section's payload; sub-sections that would say nothing are left out."""
        memory = (self.memory_size, self.memory_alignment, self.table_size, self.table_alignment)
        exports = [_name(info.name) + leb128.unsigned(info.flags) for info in self.exports]
        imports = [
            _name(info.module) + _name(info.name) + leb128.unsigned(info.flags)
            for info in self.imports
        ]
        parts = (
            (_Part.MEMORY, b"".join(map(leb128.unsigned, memory))),
            (_Part.NEEDED, _vector([_name(name) for name in self.needed])),
            (_Part.EXPORTS, _vector(exports)),
            (_Part.IMPORTS, _vector(imports)),
            (_Part.RUNTIME_PATHS, _vector([_name(path) for path in self.runtime_paths])),
            *self.other,
        )
        return b"".join(
            bytes((number,)) + leb128.unsigned(len(part)) + part for number, part in parts if part
        )


def _part(reader: Reader) -> Reader:
    size = reader.u32()
    start = reader.position
    reader.take(size)
    return Reader(reader.data, start, start + size, base=reader.base)


def _items(reader: Reader, read: Callable[[Reader], _Item]) -> tuple[_Item, ...]:
    return tuple([read(reader) for _ in range(reader.u32())])


def _read_export(reader: Reader) -> ExportInfo:
    return ExportInfo(reader.name(), reader.u32())


def _read_import(reader: Reader) -> ImportInfo:
    return ImportInfo(reader.name(), reader.name(), reader.u32())


def _name(name: str) -> bytes:
    encoded = name.encode()
    return leb128.unsigned(len(encoded)) + encoded


def _vector(items: list[bytes]) -> bytes:
    return leb128.unsigned(len(items)) + b"".join(items) if items else b""
