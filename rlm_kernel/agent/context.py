"""The context of a run: how a Python value, or files, become a file that goes into the session."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rlm_kernel.errors import ConfigurationError
from rlm_kernel.guest.values import pack

Form = Literal["text", "bytes", "json"]


@dataclass(frozen=True, slots=True)
class ContextFile:
    """A context ready to travel. `type_name` and `note` (its size) describe it to a model."""

    form: Form
    data: bytes
    type_name: str
    note: str


def pack_context(value: object) -> ContextFile:
    """The file for a str, bytes, or whatever else is plain data (see `guest.values`).

    Raises ConfigurationError that names the place of a value that is not.
    """
    if isinstance(value, str):
        data = value.encode("utf-8", "surrogatepass")
        return ContextFile("text", data, "str", _text_note(value))
    if isinstance(value, bytes | bytearray | memoryview):
        return _packed_bytes(bytes(value))
    try:
        data = json.dumps(pack(value), separators=(",", ":")).encode()
    except RecursionError:
        raise ConfigurationError("the context is nested too deeply, or holds itself") from None
    except (TypeError, ValueError) as error:  # ValueError: an int of thousands of digits
        raise ConfigurationError(f"this cannot go into a session: {error}") from error
    kind, note = type(value).__name__, _value_note(value, data)
    return ContextFile("json", data, kind, note)


def packed_json(value: Any) -> ContextFile:
    """The file for a value that another session has packed."""
    data = json.dumps(value, separators=(",", ":")).encode()
    kind = value.get("$type", "dict") if isinstance(value, dict) else type(value).__name__
    return ContextFile("json", data, kind, f"{len(data):,} bytes as JSON")


def read_context(paths: Sequence[Path]) -> str | bytes | dict[str, str | bytes]:
    """The content of one file, or of several as a dict by path; bytes where it is not UTF-8.

    Raises ConfigurationError for a file that cannot be read.
    """
    if len(paths) == 1:
        return _read(paths[0])
    return {str(path): _read(path) for path in paths}


def _read(path: Path) -> str | bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data


def _packed_bytes(data: bytes) -> ContextFile:
    return ContextFile("bytes", data, "bytes", f"{len(data):,} bytes")


def _text_note(text: str) -> str:
    return f"{len(text):,} characters in {len(text.splitlines()):,} lines"


def _value_note(value: object, data: bytes) -> str:
    if isinstance(value, list | tuple | set | frozenset):
        return f"{len(value):,} items, {len(data):,} bytes as JSON"
    if isinstance(value, dict):
        keys = ", ".join(repr(key)[:40] for key in list(value)[:5])
        more = ", ..." if len(value) > 5 else ""
        return f"{len(value):,} entries ({keys}{more}), {len(data):,} bytes as JSON"
    return repr(value)[:100]
