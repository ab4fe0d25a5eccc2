"""What a value is, in a few words."""

from __future__ import annotations

from collections.abc import Sized
from types import FunctionType
from typing import Any

_SHORT = 60
_SHORT_REPR = 200
_SHORT_BITS = 200
"""Python refuses to write out integers of thousands of digits."""


def sketch(value: Any) -> str:
    """Its type with its size, or with the value itself where that is short."""
    kind = type(value).__name__
    if isinstance(value, int) and value.bit_length() > _SHORT_BITS:
        return f"{kind} of {value.bit_length():,} bits"
    if value is None or isinstance(value, bool | int | float | complex):
        return f"{kind} = {value!r}"
    if isinstance(value, str):
        shown = f" = {value!r}" if len(value) <= _SHORT else ""
        return f"{kind} of {len(value):,} characters{shown}"
    if isinstance(value, Sized) and not isinstance(value, type):
        return f"{kind} of {_size(value)} items"
    return kind


def short_repr(value: Any) -> str:
    """What Python shows of it where that is short, else its beginning, or type and length."""
    kind = type(value).__name__
    if isinstance(value, FunctionType | type):
        return f"<{kind} {value.__name__}>"
    if isinstance(value, str | bytes | list | tuple | dict | set) and len(value) > _SHORT_REPR:
        return f"<{kind} of length {len(value)}>"
    text = shown(value)
    return text if len(text) <= _SHORT_REPR else f"{text[:_SHORT_REPR]}..."


def shown(value: Any) -> str:
    """What Python shows of it; its sketch where it shows nothing."""
    try:
        return repr(value)
    except Exception:  # the value's own code, or an integer of thousands of digits
        return f"<{sketch(value)}>"


def _size(value: Sized) -> str:
    try:
        return f"{len(value):,}"
    except Exception:  # the value's own code
        return "some"
