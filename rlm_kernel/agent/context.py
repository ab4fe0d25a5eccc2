"""The context of a run: how a Python value, or files, become a file that goes into the session."""

from __future__ import annotations

import asyncio
import codecs
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal

from rlm_kernel.agent.documents import PIECE_BYTES, Documents, is_folder, opened
from rlm_kernel.errors import ConfigurationError, ContextTooLarge
from rlm_kernel.guest.values import pack

Form = Literal["text", "bytes", "json", "files", "handed"]
"""How the session reads it; `files` is a tar archive of what `Documents` found.

What is `handed` is in the session already, which is a copy of another: the bytes are the key under
which that one kept it, and nothing where it is `context` there.
"""

_JSON = json.JSONEncoder(separators=(",", ":"))
_NESTED = 2
"""So deep into lists and dicts their items become JSON in turn, and not all at once."""

_BATCH, _SMALL = 1_000, 10_000
_SCALARS = frozenset({int, float, bool, type(None)})


@dataclass(frozen=True, slots=True)
class ContextFile:
    """A context ready to travel, of `size` bytes.

    `type_name` and `note` (its size) describe it to a model. `pieces` makes its bytes, as often as
    it is asked: of a text, of bytes and of files from the originals, which must stay as they are
    until the run has ended.
    """

    form: Form
    size: int
    type_name: str
    note: str
    pieces: Callable[[], Iterable[bytes]]

    async def stream(self) -> AsyncIterator[bytes]:
        """Its bytes; they are made in other threads, so that the event loop goes on."""
        pieces = iter(self.pieces())
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            yield piece


def pack_context(value: object, limit: int | None = None) -> ContextFile:
    """The file for a str, bytes, a Path or several, or plain data (see `guest.values`).

    A Path of a file is its text, or its bytes where that is not UTF-8; a Path of a folder, or a
    list of Paths, is all those files. Raises ContextTooLarge where it has more than `limit` bytes
    on its way, and ConfigurationError for what cannot be read and that names the place of a value
    that is not plain data.
    """
    if isinstance(value, Path) and not is_folder(value):
        return _pack_file(value, limit)
    paths = _paths(value)
    return _pack_documents(paths, limit) if paths else pack_value(value, limit)


def pack_value(value: object, limit: int | None = None) -> ContextFile:
    """As `pack_context`, for all but Paths, which are no plain data here."""
    if isinstance(value, str):
        return _pack_text(value, limit)
    if isinstance(value, bytes | bytearray | memoryview):
        return _pack_bytes(bytes(value), limit)
    return _pack_data(value, limit)


def fetched_context(data: bytes, like: ContextFile) -> ContextFile:
    """The JSON that a session has made of a context of its own, described as it did."""
    return ContextFile("json", len(data), like.type_name, like.note, lambda: [data])


def packed_json(value: Any) -> ContextFile:
    """The file for a value that another session has packed."""
    data = _JSON.encode(value).encode()
    kind = value.get("$type", "dict") if isinstance(value, dict) else type(value).__name__
    return ContextFile("json", len(data), kind, f"{len(data):,} bytes as JSON", lambda: [data])


def handed_context(key: str, type_name: str, note: str) -> ContextFile:
    """What a copy of a session finds in itself, as that session describes it."""
    return ContextFile("handed", len(key), type_name, note, lambda: [key.encode()])


def key_of(context: ContextFile) -> str:
    """The key of what is `handed`."""
    return b"".join(context.pieces()).decode()


def _paths(value: object) -> list[Path]:
    if isinstance(value, Path):
        return [value]
    if isinstance(value, list | tuple) and all(isinstance(each, Path) for each in value):
        return list(value)
    return []


def _pack_text(text: str, limit: int | None) -> ContextFile:
    size = len(text) if text.isascii() else sum(map(len, _encoded(text)))
    _check_size(size, limit)
    lines = text.count("\n") + (0 if text.endswith("\n") or not text else 1)
    return ContextFile("text", size, "str", _text_note(len(text), lines), partial(_encoded, text))


def _encoded(text: str) -> Iterator[bytes]:
    for start in range(0, len(text), PIECE_BYTES):
        yield text[start : start + PIECE_BYTES].encode("utf-8", "surrogatepass")


def _pack_bytes(data: bytes, limit: int | None) -> ContextFile:
    _check_size(len(data), limit)
    note = f"{len(data):,} bytes"
    return ContextFile("bytes", len(data), "bytes", note, partial(_sliced, data))


def _sliced(data: bytes | bytearray) -> Iterator[bytes]:
    for start in range(0, len(data), PIECE_BYTES):
        yield bytes(data[start : start + PIECE_BYTES])


def _pack_file(path: Path, limit: int | None) -> ContextFile:
    with opened(path) as file:
        _check_size(file.seek(0, 2), limit)
    size = characters = lines = 0
    decoder, last = codecs.getincrementaldecoder("utf-8")(), ""
    try:
        for data in _read(path):
            size += len(data)
            text = decoder.decode(data)
            characters, lines = characters + len(text), lines + text.count("\n")
            last = text[-1:] or last
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        size = path.stat().st_size
        return ContextFile("bytes", size, "bytes", f"{size:,} bytes", partial(_read, path))
    note = _text_note(characters, lines + (last not in ("", "\n")))
    return ContextFile("text", size, "str", note, partial(_read, path))


def _read(path: Path) -> Iterator[bytes]:
    with opened(path) as file:
        while data := file.read(PIECE_BYTES):
            yield data


def _pack_documents(paths: list[Path], limit: int | None) -> ContextFile:
    documents = Documents.of(paths)
    _check_size(documents.size, limit)
    return ContextFile("files", documents.size, "dict", documents.note, documents.archive)


def _pack_data(value: object, limit: int | None) -> ContextFile:
    data = bytearray()
    try:
        for text in _json_pieces(value, "context", _NESTED):
            data += text.encode()
            _check_size(len(data), limit, "more than ")
    except RecursionError:
        raise ConfigurationError("the context is nested too deeply, or holds itself") from None
    except (TypeError, ValueError) as error:  # ValueError: an int of thousands of digits
        raise ConfigurationError(f"this cannot go into a session: {error}") from error
    kind, note = type(value).__name__, _value_note(value, len(data))
    return ContextFile("json", len(data), kind, note, partial(_sliced, data))


def _json_pieces(value: object, place: str, nested: int) -> Iterator[str]:
    """The JSON of a packed value, in pieces: a copy of all its texts at once may be large."""
    if nested and value and type(value) is list:
        yield from _bracketed("[", _item_pieces(value, place, nested - 1), "]")
    elif nested and value and type(value) is dict and _has_plain_keys(value):
        yield from _bracketed("{", _entry_pieces(value, place, nested - 1), "}")
    else:
        yield _JSON.encode(pack(value, place))


def _bracketed(opening: str, parts: Iterable[Iterable[str]], closing: str) -> Iterator[str]:
    mark = opening
    for part in parts:
        yield mark
        yield from part
        mark = ","
    yield closing


def _item_pieces(values: list[Any], place: str, nested: int) -> Iterator[Iterable[str]]:
    for start in range(0, len(values), _BATCH):
        batch = values[start : start + _BATCH]
        if all(map(_is_small, batch)):
            yield (_JSON.encode(batch)[1:-1],)
            continue
        for at, item in enumerate(batch, start):
            yield _json_pieces(item, f"{place}[{at}]", nested)


def _entry_pieces(values: dict[str, Any], place: str, nested: int) -> Iterator[Iterable[str]]:
    entries = iter(values.items())
    while batch := dict(islice(entries, _BATCH)):
        if all(map(_is_small, batch.values())):
            yield (_JSON.encode(batch)[1:-1],)
            continue
        for key, item in batch.items():
            name = (f"{_JSON.encode(key)}:",)
            yield chain(name, _json_pieces(item, f"{place}[{key!r}]", nested))


def _is_small(value: object) -> bool:
    """Whether it is JSON as it is, and not much of it."""
    return len(value) <= _SMALL if type(value) is str else type(value) in _SCALARS


def _has_plain_keys(value: dict[Any, Any]) -> bool:
    return "$type" not in value and all(isinstance(key, str) for key in value)


def _check_size(size: int, limit: int | None, more: str = "") -> None:
    if limit is not None and size > limit:
        shown = limit if more else size
        raise ContextTooLarge(
            f"the context has {more}{shown:,} bytes, and may have {limit:,}", limit=limit
        )


def _text_note(characters: int, lines: int) -> str:
    return f"{characters:,} characters in {lines:,} lines"


def _value_note(value: object, size: int) -> str:
    if isinstance(value, list | tuple | set | frozenset):
        return f"{len(value):,} items, {size:,} bytes as JSON"
    if isinstance(value, dict):
        keys = ", ".join(repr(key)[:40] for key in list(value)[:5])
        more = ", ..." if len(value) > 5 else ""
        return f"{len(value):,} entries ({keys}{more}), {size:,} bytes as JSON"
    return repr(value)[:100]
