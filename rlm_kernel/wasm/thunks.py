"""Thunks: functions that go to where a table says, for those that do not exist yet.

A library may import what it exports itself, or what a library exports that needs it in turn. Such
an import is satisfied by a thunk, which calls whatever is in its slot of the function table.
"""

from __future__ import annotations

from collections.abc import Sequence

from rlm_kernel.wasm import leb128
from rlm_kernel.wasm.externals import ExternKind
from rlm_kernel.wasm.module import Module
from rlm_kernel.wasm.section import Section, SectionId
from rlm_kernel.wasm.types import I32

TABLE, BASE = "__indirect_function_table", "__thunk_base"
"""What the thunks import from `env`: the table, and the number of their first slot."""

_FUNCREF, _NO_MAXIMUM, _IMMUTABLE = b"\x70", b"\x00", b"\x00"
_LOCAL_GET, _GLOBAL_GET, _I32_CONST, _I32_ADD = b"\x20", b"\x23", b"\x41", b"\x6a"
_CALL_INDIRECT, _END = b"\x11", b"\x0b"


def thunks(module: Module, names: Sequence[str]) -> bytes:
    """A module that exports a thunk for each of these functions that `module` imports from `env`.

    The slot of each is the base plus its position in `names`. Exceptions pass through.
    """
    imported = {
        entry.name: entry.type_index
        for entry in module.imports()
        if entry.module == "env" and entry.type_index is not None
    }
    kinds = [imported[name] for name in names]
    types, table = module.types(), module.section(SectionId.TYPE)
    parameters = [len(kind.params) if (kind := types.function(i)) else 0 for i in kinds]
    bodies = [
        _body(slot, index, count)
        for slot, (index, count) in enumerate(zip(kinds, parameters, strict=True))
    ]
    exports = [
        _name(name) + bytes((ExternKind.FUNCTION,)) + leb128.unsigned(position)
        for position, name in enumerate(names)
    ]
    sections = (
        Section(SectionId.TYPE, table.payload if table else b"\0"),
        Section(SectionId.IMPORT, _vector([_IMPORT_TABLE, _IMPORT_BASE])),
        Section(SectionId.FUNCTION, _vector([leb128.unsigned(index) for index in kinds])),
        Section(SectionId.EXPORT, _vector(exports)),
        Section(SectionId.CODE, _vector(bodies)),
    )
    return Module(sections).encode()


def _body(slot: int, type_index: int, parameters: int) -> bytes:
    code = b"".join(
        [
            b"\0",  # no locals
            *(_LOCAL_GET + leb128.unsigned(index) for index in range(parameters)),
            _GLOBAL_GET + b"\0" + _I32_CONST + leb128.signed(slot) + _I32_ADD,
            _CALL_INDIRECT + leb128.unsigned(type_index) + b"\0" + _END,
        ]
    )
    return leb128.unsigned(len(code)) + code


def _name(name: str) -> bytes:
    encoded = name.encode()
    return leb128.unsigned(len(encoded)) + encoded


def _vector(items: list[bytes]) -> bytes:
    return leb128.unsigned(len(items)) + b"".join(items)


_IMPORT_TABLE = (
    _name("env") + _name(TABLE) + bytes((ExternKind.TABLE,)) + _FUNCREF + _NO_MAXIMUM + b"\0"
)
_IMPORT_BASE = _name("env") + _name(BASE) + bytes((ExternKind.GLOBAL,)) + I32 + _IMMUTABLE
