"""Python sources without what completions never look at, line for line where it was.

It runs in the guest, when the image is built, and needs nothing but the standard library.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping

Function = ast.FunctionDef | ast.AsyncFunctionDef
Block = list[ast.stmt]

_PLAIN = (
    *(ast.Attribute, ast.BoolOp, ast.Compare, ast.Constant, ast.Name, ast.Subscript, ast.Tuple),
    *(ast.UnaryOp, ast.boolop, ast.cmpop, ast.expr_context, ast.unaryop),
)
"""What conditions may consist of: to ask after these changes nothing."""


def pruned(source: str, names: Mapping[str, object], *, bodies: bool = True) -> str:
    """The source without the branches whose conditions do not hold, given the values of `names`.

    Without `bodies`, nothing is left of those of functions but docstrings.
    """
    lines = source.splitlines(keepends=True)
    for block in _superfluous(ast.parse(source).body, names, bodies):
        _blank(lines, block)
    return "".join(lines)


def _superfluous(block: Block, names: Mapping[str, object], bodies: bool) -> Iterable[Block]:
    for statement in block:
        if isinstance(statement, Function):
            if not bodies:
                yield statement.body[ast.get_docstring(statement, clean=False) is not None :]
            continue
        live, dead = _branches(statement, names)
        for part in dead:
            yield from _dead(part)
        for part in live:
            yield from _superfluous(part, names, bodies)


def _branches(statement: ast.stmt, names: Mapping[str, object]) -> tuple[list[Block], list[Block]]:
    """The blocks of a statement: those that may run, and those that do not."""
    if isinstance(statement, ast.If):
        holds = _value(statement.test, names)
        if holds is not None:
            both = (statement.body, statement.orelse)
            return ([both[0]], [both[1]]) if holds else ([both[1]], [both[0]])
    found = [getattr(statement, field, []) for field in ("body", "orelse", "finalbody")]
    handlers = [handler.body for handler in getattr(statement, "handlers", ())]
    return [*found, *handlers], []


def _dead(block: Block) -> Iterable[Block]:
    """The parts of a block that can go; an `elif` has to stay for what comes before it."""
    first = block[0] if block else None
    if isinstance(first, ast.If) and len(block) == 1:
        yield from _dead(first.body)
        yield from _dead(first.orelse)
    else:
        yield block


def _value(test: ast.expr, names: Mapping[str, object]) -> bool | None:
    """Whether a condition holds; None where that is not known."""
    if not all(isinstance(node, _PLAIN) for node in ast.walk(test)):
        return None
    try:
        return bool(eval(compile(ast.Expression(test), "", "eval"), dict(names)))
    except Exception:
        return None


def _blank(lines: list[str], block: Block) -> None:
    """Has a block say nothing, unless it begins on the line of what it belongs to."""
    if not block:
        return
    first, last = _first_line(block[0]), block[-1].end_lineno or block[-1].lineno
    indent = lines[first - 1][: block[0].col_offset]
    if indent.strip():
        return
    lines[first - 1 : last] = [f"{indent}...\n", *["\n"] * (last - first)]


def _first_line(statement: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(decorator.lineno for decorator in decorators)])
