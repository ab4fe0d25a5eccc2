"""Plain Python values as JSON, both ways, without a loss and without pickle.

What JSON does not have is an object with the key `$type`:

    {"$type": "bytes", "base64": "..."}
    {"$type": "tuple" | "set" | "frozenset", "items": [...]}
    {"$type": "dict", "items": [[key, value], ...]}      a dict that is not str -> value
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

_TAG = "$type"
_SEQUENCES: dict[str, type[tuple[Any, ...]] | type[set[Any]] | type[frozenset[Any]]] = {
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
}


def pack(value: object, place: str = "context") -> object:
    """What `json.dumps` takes for `value`.

    A mapping becomes a dict. Raises TypeError that names the place of a value other than str,
    bytes, bool, int, float, None, list, tuple, set, frozenset and mappings; RecursionError for one
    that holds itself.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes | bytearray):
        return {_TAG: "bytes", "base64": base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        return _pack_dict(value, place)
    if isinstance(value, list | tuple | set | frozenset):
        items = [pack(item, f"{place}[{at}]") for at, item in enumerate(value)]
        kind = next((name for name, of in _SEQUENCES.items() if isinstance(value, of)), None)
        return items if kind is None else {_TAG: kind, "items": items}
    raise TypeError(f"{place} is of type {type(value).__name__}, which is not plain data")


def unpack(packed: Any) -> Any:
    """The value that `pack` made this of."""
    if isinstance(packed, list):
        return [unpack(item) for item in packed]
    if not isinstance(packed, dict):
        return packed
    return _untagged({key: unpack(item) for key, item in packed.items()})


def unpack_json(text: str) -> Any:
    """The value that `text` is the packed JSON of, without a second copy of it on the way."""
    return json.loads(text, object_hook=_untagged)


def _untagged(decoded: dict[str, Any]) -> Any:
    """The value of a JSON object whose parts are unpacked already."""
    kind = decoded.get(_TAG)
    if kind is None:
        return decoded
    if kind == "bytes":
        return base64.b64decode(decoded["base64"])
    if kind == "dict":
        return dict(decoded["items"])
    return _SEQUENCES[kind](decoded["items"])


def _pack_dict(value: Mapping[Any, Any], place: str) -> object:
    if all(isinstance(key, str) and key != _TAG for key in value):
        return {key: pack(item, f"{place}[{key!r}]") for key, item in value.items()}
    items = [
        [pack(key, f"{place}'s key {key!r}"), pack(item, f"{place}[{key!r}]")]
        for key, item in value.items()
    ]
    return {_TAG: "dict", "items": items}
