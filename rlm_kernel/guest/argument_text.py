"""The text of a call's argument, as Python would read it."""

from __future__ import annotations

import ast
from typing import Any


def keywords_of(argument: str) -> dict[str, str] | None:
    """The text of each keyword argument, where there are nothing but such."""
    call = _expression(f"f({argument}\n)")
    if not isinstance(call, ast.Call) or call.args or not call.keywords:
        return None
    if any(keyword.arg is None for keyword in call.keywords):
        return None
    return {str(keyword.arg): ast.unparse(keyword.value) for keyword in call.keywords}


def names_of(text: str) -> set[str]:
    """The names that `text` needs where it is a Python expression; none where it is not."""
    expression = _expression(text.strip())
    nodes = [] if expression is None else list(ast.walk(expression))
    used = {node.id for node in nodes if isinstance(node, ast.Name)}
    bound = {node.id for node in nodes if isinstance(node, ast.Name) and _binds(node)}
    return used - bound


def unquoted(text: str) -> str:
    """The text itself, without quotes where it is the literal of a string."""
    value = literal(text)
    return value if isinstance(value, str) else text


def literal(text: str) -> Any:
    """The value of a literal; all else is text."""
    try:
        return ast.literal_eval(text.strip())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return text


def _expression(text: str) -> ast.expr | None:
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _binds(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)
