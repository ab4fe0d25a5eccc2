"""Contents of messages made ready for JSON."""

from __future__ import annotations

import base64
import json
from typing import Any


def jsonable(content: dict[str, Any]) -> dict[str, Any]:
    """A copy that JSON can carry: bytes become base64 text, what is no JSON its repr.

    Half surrogate pairs become question marks, so that all text is valid Unicode.
    """
    text = json.dumps(content, default=_encode, skipkeys=True, ensure_ascii=False)
    encoded: dict[str, Any] = json.loads(text.encode(errors="replace"))
    return encoded


def shortened(text: str, limit: int) -> str:
    """The text, cut to so many characters; a cut text says how much is missing."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}... [cut: {len(text) - limit} more characters]"


def _encode(value: object) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode()
    return repr(value)
