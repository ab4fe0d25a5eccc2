"""A WebAssembly module as its sections."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rlm_kernel.wasm.dylink import Dylink
from rlm_kernel.wasm.externals import (
    Export,
    ExternKind,
    Import,
    read_exports,
    read_imports,
    read_tag,
)
from rlm_kernel.wasm.reader import Reader
from rlm_kernel.wasm.section import Section, SectionId, read_sections
from rlm_kernel.wasm.types import TypeTable

HEADER = b"\0asm\x01\0\0\0"


@dataclass(frozen=True, slots=True)
class Module:
    """A module: its sections, in order. What they hold is read when it is asked for.

    Every method that reads raises MalformedModule, with the offset in the module, where the
    bytes break the format.
    """

    sections: tuple[Section, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> Module:
        """Splits a module into sections; what is inside them is not looked at."""
        reader = Reader(data)
        if reader.take(min(len(data), len(HEADER))) != HEADER:
            reader.fail("not a WebAssembly module of version 1", 0)
        return cls(tuple(read_sections(reader)))

    def encode(self) -> bytes:
        return HEADER + b"".join([section.encode() for section in self.sections])

    def section(self, wanted: SectionId) -> Section | None:
        """The section of this id, if there is one; for custom sections use `custom`."""
        return next((section for section in self.sections if section.id is wanted), None)

    def custom(self, name: str) -> Section | None:
        """The first custom section of this name, if there is one."""
        return next((s for s in self.sections if s.id is SectionId.CUSTOM and s.name == name), None)

    def with_payload(self, wanted: SectionId, payload: bytes) -> Module:
        """The same module with other bytes in the section of this id."""
        return Module(
            tuple(
                replace(section, payload=payload) if section.id is wanted else section
                for section in self.sections
            )
        )

    def types(self) -> TypeTable:
        return TypeTable(self._reader(SectionId.TYPE))

    def imports(self) -> tuple[Import, ...]:
        section = self.section(SectionId.IMPORT)
        return read_imports(section.reader()) if section else ()

    def exports(self) -> tuple[Export, ...]:
        section = self.section(SectionId.EXPORT)
        return read_exports(section.reader()) if section else ()

    def dylink(self) -> Dylink | None:
        """What the dynamic linker is told; None of a module that is not made for one."""
        section = self.custom("dylink.0")
        return Dylink.parse(section.payload, section.offset) if section else None

    def function_types(self) -> tuple[int, ...]:
        """The type index of each function the module defines, imports not counted."""
        reader = self._reader(SectionId.FUNCTION)
        count = 0 if reader.at_end() else reader.u32()
        indices = tuple([reader.u32() for _ in range(count)])
        reader.expect_end()
        return indices

    def tag_types(self) -> tuple[int, ...]:
        """The type index of every tag, imported ones first, by tag index."""
        imported = [
            entry.type_index
            for entry in self.imports()
            if entry.kind is ExternKind.TAG and entry.type_index is not None
        ]
        reader = self._reader(SectionId.TAG)
        count = 0 if reader.at_end() else reader.u32()
        defined = [read_tag(reader) for _ in range(count)]
        reader.expect_end()
        return (*imported, *defined)

    def _reader(self, wanted: SectionId) -> Reader:
        section = self.section(wanted)
        return section.reader() if section else Reader(b"")
