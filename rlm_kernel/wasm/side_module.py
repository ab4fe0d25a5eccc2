"""What a dynamic linker has to know of a side module, without the code and the data in it."""

from __future__ import annotations

from dataclasses import dataclass

from rlm_kernel.errors import MalformedModule
from rlm_kernel.wasm.dylink import Dylink
from rlm_kernel.wasm.externals import Export, ExternKind, Import
from rlm_kernel.wasm.module import Module
from rlm_kernel.wasm.section import Section, SectionId
from rlm_kernel.wasm.types import FunctionType

_KEPT = (
    SectionId.TYPE,
    SectionId.IMPORT,
    SectionId.FUNCTION,
    SectionId.TAG,
    SectionId.GLOBAL,
    SectionId.EXPORT,
)


@dataclass(frozen=True, slots=True)
class SideModule:
    """A module made to be linked while a program runs: its interface, read from its bytes.

    `function_types` are those of its exported functions.
    """

    dylink: Dylink
    imports: tuple[Import, ...]
    exports: dict[str, Export]
    import_types: dict[str, FunctionType | None]
    function_types: dict[str, FunctionType | None]

    @classmethod
    def parse(cls, module: Module) -> SideModule:
        """Raises MalformedModule where bytes break the format, or are not of a side module."""
        dylink = module.dylink()
        if dylink is None:
            raise MalformedModule("it has no dylink.0 section and is no library", 0)
        imports, types = module.imports(), module.types()
        kinds = [entry.type_index for entry in imports if entry.kind is ExternKind.FUNCTION]
        indices = [*kinds, *module.function_types()]
        exports = {export.name: export for export in module.exports()}

        def type_of(index: int | None) -> FunctionType | None:
            return None if index is None else types.function(index)

        return cls(
            dylink,
            imports,
            exports,
            {i.name: type_of(i.type_index) for i in imports if i.module == "env"},
            {
                name: type_of(indices[export.index] if export.index < len(indices) else None)
                for name, export in exports.items()
                if export.kind is ExternKind.FUNCTION
            },
        )

    def imported_functions(self) -> tuple[str, ...]:
        """The functions that it imports from `env`, each once, in order."""
        functions = (
            i.name for i in self.imports if i.module == "env" and i.kind is ExternKind.FUNCTION
        )
        return tuple(dict.fromkeys(functions))


def header(module: Module) -> Module:
    """The module without its code and data, from which `SideModule` reads the same."""
    return Module(tuple([section for section in module.sections if _tells(section)]))


def _tells(section: Section) -> bool:
    return section.name == "dylink.0" if section.id is SectionId.CUSTOM else section.id in _KEPT
