"""What must be known of a function's legacy exception handling before it can be rewritten.

How a `try` is rewritten depends on what follows it: its catches, whether a handler rethrows, and
whether something inside delegates to it. So the function is read once for its outline first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rlm_kernel.wasm.control import Control, control_instructions
from rlm_kernel.wasm.instruction import Op
from rlm_kernel.wasm.reader import Reader


@dataclass(slots=True)
class Catch:
    """A handler: of one tag, or of all where `tag` is None.

    `rethrows` says that the exception itself is needed in the handler, not only its values.
    `position` is where it stands in the reader's data.
    """

    position: int
    tag: int | None
    rethrows: bool = False


@dataclass(slots=True, eq=False)
class Try:
    """A legacy `try`.

    `scope` is the try in whose body this one stands, if any. An exception thrown in the body
    lands at `landing`: the try that catches it, or the caller of the function where it is None.
    `delegates` says that it does not land where it would without this try's delegate;
    `receives` that some other try delegates to this one.
    """

    scope: Try | None
    catches: list[Catch] = field(default_factory=list)
    delegate: bool = False
    delegate_scope: Try | None = None
    landing: Try | None = None
    delegates: bool = False
    receives: bool = False

    @property
    def rethrows(self) -> bool:
        return any(catch.rethrows for catch in self.catches)


@dataclass(frozen=True, slots=True)
class Outline:
    """The legacy tries of a function in the order in which they begin.

    `caller_receives` says that some try delegates to the caller past a try that would catch.
    """

    tries: tuple[Try, ...]
    caller_receives: bool


def read_outline(reader: Reader) -> Outline:
    """The outline of the code from the reader's position to its end, which stays where it is.

    Raises MalformedModule where blocks do not nest or a label is not there."""
    tries: list[Try] = []
    # One entry per open block, the function first: the try whose body it stands in (of a try in
    # its body: itself), and the try that it is, if it is one.
    scopes: list[Try | None] = [None]
    owners: list[Try | None] = [None]
    for control in control_instructions(reader):
        op = control.op
        if not scopes:
            reader.fail("code after the end of the function", control.start)
        if op == Op.END:
            scopes.pop()
            owners.pop()
        elif op == Op.BLOCK or op == Op.LOOP or op == Op.IF:
            scopes.append(scopes[-1])
            owners.append(None)
        elif op == Op.TRY:
            opened = Try(scopes[-1])
            tries.append(opened)
            scopes.append(opened)
            owners.append(opened)
        elif op == Op.CATCH or op == Op.CATCH_ALL:
            scopes[-1] = _add_catch(reader, owners[-1], control).scope
        elif op == Op.DELEGATE:
            _add_delegate(reader, scopes, owners, control)
        elif op == Op.RETHROW:
            _mark_rethrow(reader, owners, control)
        elif op == Op.TRY_TABLE:
            reader.fail("legacy and standard exception handling in one function", control.start)
    if scopes:
        reader.fail("the function does not end", reader.end)
    return Outline(tuple(tries), _resolve_landings(tries))


def _add_catch(reader: Reader, owner: Try | None, control: Control) -> Try:
    if owner is None:
        reader.fail("a catch outside of a try", control.start)
    if owner.catches and owner.catches[-1].tag is None:
        reader.fail("a catch after catch_all", control.start)
    owner.catches.append(Catch(control.start, control.operand if control.op == Op.CATCH else None))
    return owner


def _add_delegate(
    reader: Reader, scopes: list[Try | None], owners: list[Try | None], control: Control
) -> None:
    scopes.pop()
    owner = owners.pop()
    if owner is None or owner.catches:
        reader.fail("a delegate that does not end the body of a try", control.start)
    if control.operand >= len(scopes):
        reader.fail(f"delegate to label {control.operand}, which is not there", control.start)
    owner.delegate = True
    owner.delegate_scope = scopes[-1 - control.operand]


def _mark_rethrow(reader: Reader, owners: list[Try | None], control: Control) -> None:
    owner = owners[-1 - control.operand] if control.operand < len(owners) else None
    if owner is None or not owner.catches:
        reader.fail(f"rethrow of label {control.operand}, which is not a handler", control.start)
    owner.catches[-1].rethrows = True


def _resolve_landings(tries: Sequence[Try]) -> bool:
    """Fills in `landing`, `delegates` and `receives`; whether the caller receives.

    A try only refers to tries that began before it, so one pass in order is enough.
    """
    caller_receives = False
    for each in tries:
        outside = _landing(each.scope)
        if each.catches:
            each.landing = each
            continue
        each.landing = _landing(each.delegate_scope) if each.delegate else outside
        each.delegates = each.landing is not outside
        if each.delegates and each.landing is not None:
            each.landing.receives = True
        elif each.delegates:
            caller_receives = True
    return caller_receives


def _landing(scope: Try | None) -> Try | None:
    return scope.landing if scope else None
