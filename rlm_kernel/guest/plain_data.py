"""Values of any kind as JSON has them."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping, Set
from dataclasses import fields, is_dataclass
from numbers import Number
from typing import Any

from rlm_kernel.guest.sketches import shown

_INT_BITS = 14_000
"""Python neither writes nor reads integers of more than 4,300 digits."""


def plain(value: Any) -> Any:
    """What JSON can hold of a value: structures as such, and of all else a text that shows it."""
    if value is None or isinstance(value, bool | float | str):
        return value
    if isinstance(value, int):
        return value if value.bit_length() <= _INT_BITS else shown(value)
    if isinstance(value, Mapping):
        return {
            key if isinstance(key, str) else str(key): plain(item) for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Set):
        items = [plain(item) for item in value]
        return sorted(items, key=lambda item: (str(type(item)), str(item)))
    try:
        simpler = _simpler(value)
    except ValueError:  # bytes in a model that are no text, say
        return shown(value)
    return shown(value) if simpler is value else plain(simpler)


def as_json(value: Any) -> str:
    """A value as JSON, whole. Raises TypeError, ValueError and RecursionError where it is not."""
    return json.dumps(value, default=_replaced)


def _replaced(value: Any) -> Any:
    """What JSON has in the place of a value that it does not have."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return list(value)
    if isinstance(value, bytes | bytearray):
        return value.decode()
    simpler = _simpler(value)
    if simpler is not value:
        return simpler
    if isinstance(value, Number):  # Decimal and Fraction
        return str(value)
    raise TypeError(f"a value of type {type(value).__name__} is not plain data")


def _simpler(value: Any) -> Any:
    """The data that stands for it; the value itself where none is known."""
    if isinstance(value, type):
        return value
    if isinstance(value, enum.Enum):
        return value.value
    if hasattr(value, "model_dump"):  # pydantic's models
        return value.model_dump(mode="json")
    for method in ("tolist", "isoformat"):  # numpy's scalars and arrays, dates and times
        if hasattr(value, method):
            return getattr(value, method)()
    if is_dataclass(value):
        return {each.name: getattr(value, each.name) for each in fields(value)}
    return value
