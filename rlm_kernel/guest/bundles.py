"""Contents of messages made ready for JSON."""

from __future__ import annotations

import base64
import json
from typing import Any


def as_json(content: dict[str, Any]) -> bytes:
    """The content as JSON: bytes become base64 text, what is no JSON its repr.

    Half surrogate pairs become question marks, so that all text is valid Unicode.
    """
    return _ENCODER.encode(content).encode(errors="replace")


def shortened(text: str, limit: int) -> str:
    """The text, cut to so many characters; a cut text says how much is missing."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}... [cut: {len(text) - limit} more characters]"


def _encode(value: object) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode()
    return repr(value)


_ENCODER = json.JSONEncoder(default=_encode, skipkeys=True, ensure_ascii=False)
