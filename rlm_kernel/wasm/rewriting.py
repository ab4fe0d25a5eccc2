"""A function's code with legacy exception handling, written anew with the standard one.

    try (params -> results)             block $done (params -> results)
      body                                block $all (params -> exnref)
    catch $x                                block $x (params -> values of $x)
      first handler             becomes       try_table (params -> results)
    catch_all                                     (catch $x $x) (catch_all_ref $all)
      second handler, rethrow                   body
    end                                       end
                                              br $done
                                            end
                                            first handler
                                            br $done
                                          end
                                          local.set $exception
                                          second handler, with local.get $exception, throw_ref
                                        end

A handler that rethrows keeps the exception in a local of its own depth of handlers. A try that
delegates past other handlers becomes a try_table that hands the exception to a block at the top
of the body it lands in, where a throw_ref throws it again; every other try is only a block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rlm_kernel.wasm.control import Control, control_instructions
from rlm_kernel.wasm.instruction import Op
from rlm_kernel.wasm.leb128 import unsigned
from rlm_kernel.wasm.outline import Catch, Outline, Try
from rlm_kernel.wasm.reader import Reader
from rlm_kernel.wasm.signatures import Signatures
from rlm_kernel.wasm.types import EXNREF

_CLAUSE, _CLAUSE_REF, _CLAUSE_ALL, _CLAUSE_ALL_REF = 0, 1, 2, 3

_BLOCK: Final = bytes((Op.BLOCK,))
_END: Final = bytes((Op.END,))
_THROW_REF: Final = bytes((Op.THROW_REF,))
_CALLER_HEIGHT: Final = 1


@dataclass(slots=True, eq=False)
class _OpenTry:
    """A try that is being written: how many of its catches have begun, the local of its
    exception, and the height of the block that takes delegated exceptions."""

    outline: Try
    begun: int = 0
    local: int = 0
    landing_height: int = 0


class Rewriting:
    """Writes one function's code anew. Labels are renumbered; nothing else changes.

    A height is a number of labels open outside of a block in what is written. `heights` has,
    for each block open in what is read, the height of the block that a branch to it goes to.
    """

    def __init__(
        self, reader: Reader, outline: Outline, signatures: Signatures, first_local: int
    ) -> None:
        self.exception_locals = 0
        self._reader = reader
        self._outline = outline
        self._signatures = signatures
        self._first_local = first_local
        self._locals_in_use = 0
        self._written: list[bytes] = []
        self._copied = reader.position
        self._current = 1
        self._heights = [0]
        self._open: list[_OpenTry | None] = [None]
        self._tries = iter(outline.tries)
        self._by_outline: dict[Try, _OpenTry] = {}

    def write(self) -> bytes:
        """The whole code. Afterwards `exception_locals` says how many locals of type exnref it
        wants after the function's own."""
        if self._outline.caller_receives:
            self._written.append(_BLOCK + EXNREF)
            self._current += 1
        heights = self._heights
        for control in control_instructions(self._reader):
            op = control.op
            if op == Op.BLOCK or op == Op.LOOP or op == Op.IF:
                self._open_block()
            elif op == Op.END:
                self._close(control)
            elif op == Op.BR or op == Op.BR_IF:
                if control.operand >= len(heights) or (
                    self._current - 1 - heights[-1 - control.operand] != control.operand
                ):
                    self._write_branch(control)
            else:
                self._write_other(control)
        self._written.append(self._reader.data[self._copied : self._reader.end])
        return b"".join(self._written)

    def _write_other(self, control: Control) -> None:
        match control.op:
            case Op.TRY:
                self._write_try(control)
            case Op.CATCH | Op.CATCH_ALL:
                self._write_catch(control)
            case Op.DELEGATE:
                self._replace(control, _END)
                self._close(control)
            case Op.RETHROW:
                local = self._owner(control.operand).local
                self._replace(control, bytes((Op.LOCAL_GET,)) + unsigned(local) + _THROW_REF)
            case Op.BR_TABLE:
                self._write_branch_table(control)
            case Op.GC:
                self._write_branch_on_cast(control)
            case _:
                self._write_branch(control)

    def _open_block(self, opened: _OpenTry | None = None) -> None:
        self._heights.append(self._current)
        self._open.append(opened)
        self._current += 1

    def _close(self, control: Control) -> None:
        self._current = self._heights.pop()
        closed = self._open.pop()
        if closed and closed.outline.rethrows:
            self._locals_in_use -= 1
        if not self._heights and self._outline.caller_receives:
            self._replace(control, bytes((Op.RETURN, Op.END, Op.THROW_REF, Op.END)))

    def _write_try(self, control: Control) -> None:
        outline = next(self._tries)
        opened = self._by_outline[outline] = _OpenTry(outline)
        block_type = self._reader.data[control.start + 1 : control.end]
        if outline.delegates:
            clause = bytes((1, _CLAUSE_ALL_REF)) + self._landing_label(outline.landing)
            self._replace(control, bytes((Op.TRY_TABLE,)) + block_type + clause)
            self._open_block(opened)
        elif outline.catches:
            self._open_block(opened)
            self._replace(control, self._catching_try(opened, block_type, control))
        else:
            self._replace(control, _BLOCK + block_type)
            self._open_block(opened)

    def _landing_label(self, landing: Try | None) -> bytes:
        height = self._by_outline[landing].landing_height if landing else _CALLER_HEIGHT
        return unsigned(self._current - 1 - height)

    def _catching_try(self, opened: _OpenTry, block_type: bytes, control: Control) -> bytes:
        outline, signatures, reader = opened.outline, self._signatures, self._reader
        parts = [_BLOCK, block_type]
        for catch in reversed(outline.catches):
            parts.append(_BLOCK)
            parts.append(
                signatures.catching(reader, control, catch.position, catch.tag, catch.rethrows)
            )
        parts += bytes((Op.TRY_TABLE,)), block_type, unsigned(len(outline.catches))
        parts += [_clause(catch, label) for label, catch in enumerate(outline.catches)]
        self._current += len(outline.catches) + 1
        if outline.receives:
            parts += _BLOCK, signatures.catching(reader, control, control.start, None, True)
            opened.landing_height = self._current
            self._current += 1
        return b"".join(parts)

    def _write_catch(self, control: Control) -> None:
        opened = self._owner(0)
        outline, index = opened.outline, opened.begun
        left = len(outline.catches) - index
        leave = bytes((Op.BR,)) + unsigned(left) + _END
        if index == 0:
            self._begin_handlers(opened)
            leave = _END + leave
            if outline.receives:
                leave = bytes((Op.BR, 1, Op.END, Op.THROW_REF)) + leave
        if outline.catches[index].rethrows:
            leave += bytes((Op.LOCAL_SET,)) + unsigned(opened.local)
        self._replace(control, leave)
        self._current = self._heights[-1] + left
        opened.begun += 1

    def _begin_handlers(self, opened: _OpenTry) -> None:
        if opened.outline.rethrows:
            opened.local = self._first_local + self._locals_in_use
            self._locals_in_use += 1
            self.exception_locals = max(self.exception_locals, self._locals_in_use)

    def _write_branch(self, control: Control) -> None:
        label = self._label(control.operand, control.start)
        self._replace(control, bytes((control.op,)) + label)

    def _write_branch_table(self, control: Control) -> None:
        reader = self._at(control.start + 1)
        count = reader.u32()
        parts = [self._label(reader.u32(), control.start) for _ in range(count + 1)]
        self._replace(control, bytes((Op.BR_TABLE,)) + unsigned(count) + b"".join(parts))

    def _write_branch_on_cast(self, control: Control) -> None:
        reader = self._at(control.start + 1)
        which = reader.u32()
        flags = reader.take(1)
        reader.u32()
        types = reader.data[reader.position : control.end]
        label = self._label(control.operand, control.start)
        self._replace(control, bytes((Op.GC, which)) + flags + label + types)

    def _label(self, label: int, position: int) -> bytes:
        if label >= len(self._heights):
            self._reader.fail(f"branch to label {label}, which is not there", position)
        return unsigned(self._current - 1 - self._heights[-1 - label])

    def _owner(self, label: int) -> _OpenTry:
        owner = self._open[-1 - label]
        assert owner is not None, "the outline has checked it"
        return owner

    def _at(self, position: int) -> Reader:
        return Reader(self._reader.data, position, self._reader.end, base=self._reader.base)

    def _replace(self, control: Control, code: bytes) -> None:
        self._written += self._reader.data[self._copied : control.start], code
        self._copied = control.end


def _clause(catch: Catch, label: int) -> bytes:
    if catch.tag is None:
        return bytes((_CLAUSE_ALL_REF if catch.rethrows else _CLAUSE_ALL,)) + unsigned(label)
    kind = _CLAUSE_REF if catch.rethrows else _CLAUSE
    return bytes((kind,)) + unsigned(catch.tag) + unsigned(label)
