"""The sections of a WebAssembly module."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from rlm_kernel.wasm import leb128
from rlm_kernel.wasm.reader import Reader


class SectionId(IntEnum):
    CUSTOM = 0
    TYPE = 1
    IMPORT = 2
    FUNCTION = 3
    TABLE = 4
    MEMORY = 5
    GLOBAL = 6
    EXPORT = 7
    START = 8
    ELEMENT = 9
    CODE = 10
    DATA = 11
    DATA_COUNT = 12
    TAG = 13


ORDER = (
    SectionId.TYPE,
    SectionId.IMPORT,
    SectionId.FUNCTION,
    SectionId.TABLE,
    SectionId.MEMORY,
    SectionId.TAG,
    SectionId.GLOBAL,
    SectionId.EXPORT,
    SectionId.START,
    SectionId.ELEMENT,
    SectionId.DATA_COUNT,
    SectionId.CODE,
    SectionId.DATA,
)
"""The order in which the sections other than custom ones must stand."""


@dataclass(frozen=True, slots=True)
class Section:
    """One section: its payload, without the id and size in front.

    `offset` is where the payload stood in the module it was read from, for error messages; it
    is not part of the value. Of a custom section the payload is what follows `name`.
    """

    id: SectionId
    payload: bytes
    name: str = ""
    offset: int = 0

    def encode(self) -> bytes:
        payload = self.payload
        if self.id is SectionId.CUSTOM:
            name = self.name.encode()
            payload = leb128.unsigned(len(name)) + name + payload
        return bytes((self.id,)) + leb128.unsigned(len(payload)) + payload

    def reader(self) -> Reader:
        """A reader of the payload whose errors name offsets in the module."""
        return Reader(self.payload, base=self.offset)


def read_sections(reader: Reader) -> Iterator[Section]:
    """The sections from the reader's position to its end; MalformedModule if one is not whole,
    not known, out of order or there twice."""
    rank = -1
    while not reader.at_end():
        start = reader.position
        section = _read_section(reader)
        if section.id is not SectionId.CUSTOM:
            if ORDER.index(section.id) <= rank:
                reader.fail(f"section {section.id.name.lower()} twice or out of order", start)
            rank = ORDER.index(section.id)
        yield section


def _read_section(reader: Reader) -> Section:
    start = reader.position
    number = reader.byte()
    if number > max(SectionId):
        reader.fail(f"unknown section {number}", start)
    size = reader.u32()
    if size > reader.end - reader.position:
        reader.fail(f"section {number} is cut off", start)
    body = Reader(reader.data, reader.position, reader.position + size, base=reader.base)
    reader.position += size
    name = body.name() if number == SectionId.CUSTOM else ""
    offset = reader.base + body.position
    return Section(SectionId(number), body.take(body.end - body.position), name, offset)
