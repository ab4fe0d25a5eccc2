"""WebAssembly binaries as data: sections, dylink metadata, legacy exceptions -> exnref."""

from __future__ import annotations

from rlm_kernel.wasm.dylink import Dylink, ExportInfo, ImportInfo
from rlm_kernel.wasm.exceptions import translate_exceptions
from rlm_kernel.wasm.externals import Export, ExternKind, Import
from rlm_kernel.wasm.module import Module
from rlm_kernel.wasm.section import Section, SectionId
from rlm_kernel.wasm.side_module import SideModule, header
from rlm_kernel.wasm.thunks import thunks
from rlm_kernel.wasm.types import FunctionType

__all__ = [
    "Dylink",
    "Export",
    "ExportInfo",
    "ExternKind",
    "FunctionType",
    "Import",
    "ImportInfo",
    "Module",
    "Section",
    "SectionId",
    "SideModule",
    "header",
    "thunks",
    "translate_exceptions",
]
