"""Forms as browsers and `curl -F` send them (RFC 7578): fields, and files of any size."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tornado.httputil import HTTPHeaders

from rlm_kernel.errors import BadRequest

MEDIA_TYPE = "multipart/form-data"

_BOUNDARY = re.compile(r"""boundary=("([^"]{1,70})"|[^\s;,]{1,70})""")
_DISPOSITION = re.compile(r"""\b(name|filename)="((?:[^"\\]|\\.)*)\"""")
_MOST_PARTS = 1000
_MOST_HEADER_BYTES = 8192
_AS_TEXT = frozenset({"query", "model", "recursive_model"})
_CONTEXT = "context"


@dataclass(frozen=True, slots=True)
class Part:
    """A field of a form; one that has a file name is a file."""

    name: str
    filename: str | None
    data: memoryview

    def text(self) -> str:
        """Raises BadRequest where it is no UTF-8."""
        try:
            return str(self.data, "utf-8")
        except UnicodeDecodeError as error:
            raise BadRequest(f"{self.name}: this is not UTF-8") from error

    def content(self) -> str | bytes:
        """Its text, or its bytes where that is what it is."""
        try:
            return str(self.data, "utf-8")
        except UnicodeDecodeError:
            return bytes(self.data)


def is_form(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == MEDIA_TYPE


def parts_of(content_type: str, body: bytes | bytearray) -> Iterator[Part]:
    """The fields of a form, in order, none of them copied. Raises BadRequest."""
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise BadRequest("the form has no boundary")
    mark = b"--" + (found[2] or found[1]).encode()
    view, at = memoryview(body), body.find(mark)
    for _ in range(_MOST_PARTS):
        begin = at + len(mark)
        if at < 0 or body[begin : begin + 2] == b"--":
            break
        at = body.find(b"\r\n" + mark, begin)
        if at < 0:
            raise BadRequest("the form ends before its end")
        yield _part(body, view, begin + 2, at)
        at += 2
    else:
        raise BadRequest(f"the form has more than {_MOST_PARTS} parts")
    if at < 0:
        raise BadRequest("this is no form")


def fields_of(content_type: str, body: bytes | bytearray) -> dict[str, Any]:
    """A form as the JSON of a request would be. Raises BadRequest.

    Files under `context` are the context: the text of one, several by their names. All other
    fields are JSON, but for those that are text.
    """
    fields: dict[str, Any] = {}
    files: list[Part] = []
    for part in parts_of(content_type, body):
        if part.name == _CONTEXT and part.filename is not None:
            files.append(part)
        elif part.name in fields:
            raise BadRequest(f"{part.name}: given twice")
        else:
            fields[part.name] = _value(part)
    if files and _CONTEXT in fields:
        raise BadRequest("context: given as a file and as text")
    if files:
        fields[_CONTEXT] = _context(files)
    return fields


def _context(files: list[Part]) -> Any:
    if len(files) == 1:
        return files[0].content()
    by_name = {part.filename or "": part.content() for part in files}
    if len(by_name) < len(files):
        raise BadRequest("context: two files have the same name")
    return by_name


def _value(part: Part) -> Any:
    if part.name == _CONTEXT or part.name in _AS_TEXT:
        return part.text()
    try:
        return json.loads(part.text())
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"{part.name}: this is not JSON") from error


def _part(body: bytes | bytearray, view: memoryview, begin: int, end: int) -> Part:
    head_end = body.find(b"\r\n\r\n", begin, min(end, begin + _MOST_HEADER_BYTES))
    if head_end < 0:
        raise BadRequest("a part of the form has no headers, or too many")
    try:
        headers = HTTPHeaders.parse(body[begin:head_end].decode("utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise BadRequest("a part of the form has headers that are none") from error
    named = dict(_DISPOSITION.findall(headers.get("Content-Disposition", "")))
    if "name" not in named:
        raise BadRequest("a part of the form has no name")
    return Part(named["name"], named.get("filename"), view[head_end + 4 : end])
