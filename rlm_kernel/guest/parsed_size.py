"""What JSON takes in memory once it is parsed, which is many times its length."""

from __future__ import annotations

NODE_BYTES, ITEM_BYTES = 64, 32
"""For each list, object and field, and for each item of one: about what CPython 3.11 takes."""

FREE_BYTES = 1024
"""Of that, what any message may take, so that small ones count by their length."""

NODES_MAX = 1 << 17
"""Lists, objects and fields in one text: so many are parsed in some 200 ms."""

QUOTES_MAX = 1 << 20


def parsed_bytes(text: bytes) -> int:
    """How much more than its length a JSON text counts. ValueError where it holds too much."""
    if _taken(text) <= FREE_BYTES:  # what strings hold looks like more of it
        return 0
    structure = _without_strings(text)
    if _nodes(structure) > NODES_MAX:
        raise ValueError(f"more than {NODES_MAX:,} lists, objects and fields are over the limit")
    return max(0, _taken(structure) - FREE_BYTES)


def _taken(text: bytes) -> int:
    return NODE_BYTES * _nodes(text) + ITEM_BYTES * text.count(b",")


def _nodes(text: bytes) -> int:
    return text.count(b"[") + text.count(b"{") + text.count(b":")


def _without_strings(text: bytes) -> bytes:
    unescaped = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    if unescaped.count(b'"') > QUOTES_MAX:
        raise ValueError(f"more than {QUOTES_MAX // 2:,} strings are over the limit")
    return b"".join(unescaped.split(b'"')[::2])
