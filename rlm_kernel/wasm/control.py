"""The control instructions of a function's code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from rlm_kernel.wasm.instruction import BR_ON_CAST, PLAIN, Op, skip
from rlm_kernel.wasm.reader import Reader
from rlm_kernel.wasm.types import is_short_block_type, skip_block_type


class Control(NamedTuple):
    """An instruction that opens or closes a block or names a label.

    `operand` is the label, or the tag of a catch; 0 where there is none or there are several.
    `start` and `end` are positions in the reader's data.
    """

    start: int
    op: int
    operand: int
    end: int


_OPENING: Final = frozenset((Op.BLOCK, Op.LOOP, Op.IF, Op.TRY))
_INDEXED: Final = frozenset(
    (Op.BR, Op.BR_IF, Op.RETHROW, Op.DELEGATE, Op.CATCH, Op.BR_ON_NULL, Op.BR_ON_NON_NULL)
)


def control_instructions(reader: Reader) -> Iterator[Control]:
    """Every control instruction from the reader's position to its end, in order; the reader
    stays where it is.

    Raises MalformedModule where an instruction is cut off or not known.
    """
    data, end, position = reader.data, reader.end, reader.position
    ahead = Reader(data, position, end, base=reader.base)
    while (run := PLAIN.match(data, position, end)) and (position := run.end()) < end:
        op = data[position]
        following = data[position + 1] if position + 1 < end else 0xFF
        if op == Op.END or op == Op.CATCH_ALL:
            control = Control(position, op, 0, position + 1)
        elif op in _INDEXED and following < 0x80:
            control = Control(position, op, following, position + 2)
        elif op in _OPENING and is_short_block_type(following):
            control = Control(position, op, 0, position + 2)
        else:
            ahead.position = position
            rare = _read_rare(ahead)
            position = ahead.position
            if rare is not None:
                yield rare
            continue
        position = control.end
        yield control


def _read_rare(reader: Reader) -> Control | None:
    """What the loop above has no quick way for; None for an instruction without control."""
    start, operand = reader.position, 0
    op = reader.byte()
    if op in _INDEXED:
        operand = reader.u32()
    elif op in _OPENING:
        skip_block_type(reader)
    elif op == Op.BR_TABLE:
        for _ in range(reader.u32() + 1):
            reader.u32()
    elif op == Op.TRY_TABLE:
        _skip_try_table(reader)
    elif op == Op.GC and reader.u32() in BR_ON_CAST:
        reader.byte()
        operand = reader.u32()
        reader.s33()
        reader.s33()
    else:
        reader.position = start
        skip(reader)
        return None
    return Control(start, op, operand, reader.position)


def _skip_try_table(reader: Reader) -> None:
    skip_block_type(reader)
    for _ in range(reader.u32()):
        start = reader.position
        kind = reader.byte()
        if kind > 3:
            reader.fail(f"unknown catch clause {kind}", start)
        if kind < 2:
            reader.u32()
        reader.u32()
