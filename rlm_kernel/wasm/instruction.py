"""Where instructions begin and end.

Code is mostly instructions that neither open nor close a block nor name a label. PLAIN finds a
run of the common ones at the speed of the regular-expression engine; what it does not know is
decoded one by one, exactly, by `skip`.
"""

from __future__ import annotations

import re
from typing import Final

from rlm_kernel.wasm.reader import Reader
from rlm_kernel.wasm.types import read_value_type


class Op:
    """The instructions that shape control flow."""

    BLOCK: Final = 0x02
    LOOP: Final = 0x03
    IF: Final = 0x04
    TRY: Final = 0x06
    CATCH: Final = 0x07
    RETHROW: Final = 0x09
    THROW_REF: Final = 0x0A
    END: Final = 0x0B
    BR: Final = 0x0C
    BR_IF: Final = 0x0D
    BR_TABLE: Final = 0x0E
    RETURN: Final = 0x0F
    DELEGATE: Final = 0x18
    CATCH_ALL: Final = 0x19
    TRY_TABLE: Final = 0x1F
    LOCAL_GET: Final = 0x20
    LOCAL_SET: Final = 0x21
    BR_ON_NULL: Final = 0xD5
    BR_ON_NON_NULL: Final = 0xD6
    GC: Final = 0xFB  # the prefix of the garbage collection instructions; two of them branch


BR_ON_CAST: Final = (24, 25)
"""The GC instructions that name a label."""

_U32 = rb"[\x80-\xff]{0,4}[\x00-\x7f]"
_U64 = rb"[\x80-\xff]{0,9}[\x00-\x7f]"

# The length of a run is bounded because the engine keeps a little memory per repetition.
PLAIN: Final = re.compile(
    rb"(?:[\x20-\x24\x10\x08]" + _U32  # local.*, global.*, call, throw
    + rb"|[\x00\x01\x05\x0f\x1a\x1b\x45-\xc4\xd1\xd3\xd4]"  # no immediate; else among them
    + rb"|\x41" + _U32  # i32.const
    + rb"|[\x28-\x3e][\x00-\x3f]" + _U32  # loads and stores
    + rb"|\x42" + _U64  # i64.const
    + rb"|\x11" + _U32 + _U32  # call_indirect
    + rb"|\x44.{8}|\x43.{4}"  # f64.const, f32.const
    + rb"){0,1000}",
    re.DOTALL,
)  # fmt: skip

_NO_IMMEDIATE = frozenset(
    (0x00, 0x01, 0x05, 0x0A, 0x0F, 0x1A, 0x1B, *range(0x45, 0xC5), 0xD1, 0xD3, 0xD4)
)
_ONE_INDEX = frozenset((0x08, 0x10, 0x12, 0x14, 0x15, *range(0x20, 0x27), 0x3F, 0x40, 0xD2))
_TWO_INDICES = frozenset((0x11, 0x13))
_MEMORY_ACCESS = range(0x28, 0x3F)
_SELECT_TYPED, _I32_CONST, _I64_CONST, _F32_CONST, _F64_CONST = 0x1C, 0x41, 0x42, 0x43, 0x44
_REF_NULL = 0xD0
_HAS_MEMORY_INDEX = 0x40

_NUMBER_OF_INDICES: Final = {
    0xFB: {
        **dict.fromkeys((0, 1, 6, 7, 11, 12, 13, 14, 16), 1),
        **dict.fromkeys((2, 3, 4, 5, 8, 9, 10, 17, 18, 19), 2),
        **dict.fromkeys((15, 26, 27, 28, 29, 30), 0),
    },
    0xFC: {
        **dict.fromkeys(range(8), 0),
        **dict.fromkeys((9, 11, 13, 15, 16, 17), 1),
        **dict.fromkeys((8, 10, 12, 14), 2),
    },
}
_REF_TEST_OR_CAST = range(20, 24)

_SIMD_MEMORY_ACCESS = frozenset((*range(12), 92, 93))
_SIMD_LANE_ACCESS = range(84, 92)
_SIMD_16_BYTES = (12, 13)
_SIMD_LANE = range(21, 35)
_SIMD_LAST = 0x113
_ATOMIC_FENCE, _ATOMIC_LAST = 3, 0x4E


def skip(reader: Reader) -> None:
    """Moves over one instruction that names no label and opens or closes no block.

    Raises MalformedModule for an instruction that is cut off or not known.
    """
    start = reader.position
    op = reader.byte()
    if op in _NO_IMMEDIATE:
        return
    if op in _ONE_INDEX:
        reader.u32()
    elif op in _MEMORY_ACCESS:
        _skip_memory_access(reader)
    elif op in _TWO_INDICES:
        reader.u32()
        reader.u32()
    elif op in (_I32_CONST, _I64_CONST, _F32_CONST, _F64_CONST):
        _skip_constant(reader, op)
    elif op == _SELECT_TYPED:
        for _ in range(reader.u32()):
            read_value_type(reader)
    elif op == _REF_NULL:
        reader.s33()
    elif op in (0xFB, 0xFC, 0xFD, 0xFE):
        _skip_prefixed(reader, op, start)
    else:
        reader.fail(f"unknown instruction {op:#04x}", start)


def _skip_constant(reader: Reader, op: int) -> None:
    if op == _I32_CONST:
        reader.s32()
    elif op == _I64_CONST:
        reader.s64()
    else:
        reader.take(4 if op == _F32_CONST else 8)


def _skip_memory_access(reader: Reader) -> None:
    if reader.u32() & _HAS_MEMORY_INDEX:
        reader.u32()
    reader.u64()


def _skip_prefixed(reader: Reader, prefix: int, start: int) -> None:
    op = reader.u32()
    if prefix == 0xFD and op <= _SIMD_LAST:
        _skip_simd(reader, op)
    elif prefix == 0xFE and op == _ATOMIC_FENCE:
        reader.byte()
    elif prefix == 0xFE and op <= _ATOMIC_LAST:
        _skip_memory_access(reader)
    elif prefix == 0xFB and op in _REF_TEST_OR_CAST:
        reader.s33()
    elif op in _NUMBER_OF_INDICES.get(prefix, ()):
        for _ in range(_NUMBER_OF_INDICES[prefix][op]):
            reader.u32()
    else:
        reader.fail(f"unknown instruction {prefix:#04x} {op:#x}", start)


def _skip_simd(reader: Reader, op: int) -> None:
    if op in _SIMD_MEMORY_ACCESS:
        _skip_memory_access(reader)
    elif op in _SIMD_LANE_ACCESS:
        _skip_memory_access(reader)
        reader.byte()
    elif op in _SIMD_16_BYTES:
        reader.take(16)
    elif op in _SIMD_LANE:
        reader.byte()
