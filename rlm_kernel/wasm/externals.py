"""What a module imports and exports."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from rlm_kernel.wasm.reader import Reader
from rlm_kernel.wasm.types import read_value_type

_HAS_MAXIMUM, _IS_64_BIT, _HAS_PAGE_SIZE = 1, 4, 8


class ExternKind(IntEnum):
    FUNCTION = 0
    TABLE = 1
    MEMORY = 2
    GLOBAL = 3
    TAG = 4


@dataclass(frozen=True, slots=True)
class Import:
    """One import. `type_index` is the type of a function or a tag, and None of anything else."""

    module: str
    name: str
    kind: ExternKind
    type_index: int | None = None


@dataclass(frozen=True, slots=True)
class Export:
    """One export: what it is and its index among the module's things of that kind."""

    name: str
    kind: ExternKind
    index: int


def read_imports(reader: Reader) -> tuple[Import, ...]:
    imports = tuple([_read_import(reader) for _ in range(reader.u32())])
    reader.expect_end()
    return imports


def read_exports(reader: Reader) -> tuple[Export, ...]:
    exports = tuple(
        [Export(reader.name(), _read_kind(reader), reader.u32()) for _ in range(reader.u32())]
    )
    reader.expect_end()
    return exports


def read_tag(reader: Reader) -> int:
    """The type index of a tag."""
    start = reader.position
    if reader.byte() != 0:
        reader.fail("unknown attribute of a tag", start)
    return reader.u32()


def _read_import(reader: Reader) -> Import:
    module, name, kind = reader.name(), reader.name(), _read_kind(reader)
    if kind is ExternKind.FUNCTION:
        return Import(module, name, kind, reader.u32())
    if kind is ExternKind.TAG:
        return Import(module, name, kind, read_tag(reader))
    if kind is ExternKind.GLOBAL:
        read_value_type(reader)
        reader.byte()
    else:
        if kind is ExternKind.TABLE:
            read_value_type(reader)
        _skip_limits(reader)
    return Import(module, name, kind)


def _read_kind(reader: Reader) -> ExternKind:
    start = reader.position
    number = reader.byte()
    if number > max(ExternKind):
        reader.fail(f"unknown kind {number} of import or export", start)
    return ExternKind(number)


def _skip_limits(reader: Reader) -> None:
    flags = reader.byte()
    number = reader.u64 if flags & _IS_64_BIT else reader.u32
    number()
    if flags & _HAS_MAXIMUM:
        number()
    if flags & _HAS_PAGE_SIZE:
        reader.u32()
