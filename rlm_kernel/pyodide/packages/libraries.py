"""The extension modules of packages: compiled for this machine, and installed as their headers.

The guest's file of a library holds what a linker reads of it and no code: nothing in the guest
could run that. A custom section says which code belongs to it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import cache
from posixpath import basename

import wasmtime

from rlm_kernel.emscripten import Library
from rlm_kernel.errors import BadWheel, CompilationError, MalformedModule
from rlm_kernel.progress import Progress
from rlm_kernel.pyodide.compilation import load_compiled
from rlm_kernel.pyodide.layers import SITE_PACKAGES
from rlm_kernel.pyodide.release import ensure_release
from rlm_kernel.wasm import Module, Section, SectionId, SideModule, header, thunks

NAME_MAX = 100
"""Characters of a library's name in the cache."""

_SECTION = "rlm-kernel"


def is_library(path: str, content: bytes | memoryview) -> bool:
    """Whether a file of a package is a shared library for WebAssembly.

    Wheels for any platform may bring libraries for others along, which stay mere files.
    """
    name = basename(path)
    return (name.endswith(".so") or ".so." in name) and content[:4] == b"\0asm"


def with_headers(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files, with headers in the place of libraries. Raises BadWheel."""
    return {
        path: _header(path, content) if is_library(path, content) else content
        for path, content in files.items()
    }


def load_library(
    engine: wasmtime.Engine,
    path: str,
    content: memoryview,
    original: Callable[[str], bytes],
    progress: Progress,
) -> Library:
    """The library whose header is the guest's file at `path`, compiled if it was not yet.

    `original` gives the bytes of the wheel's file for a guest path. Raises BadWheel.
    """
    module = Module.parse(bytes(content))
    section = module.custom(_SECTION)
    facts = json.loads(section.payload if section else b"{}")
    late = tuple(facts["late"])
    name = _module_name(path)
    try:
        compiled = load_compiled(engine, name, facts["sha256"], lambda: original(path), progress)
        return Library(
            path,
            content,
            SideModule.parse(module),
            compiled,
            late,
            _thunks(engine, name, module, late),
        )
    except (MalformedModule, CompilationError) as error:
        raise BadWheel(f"{path} cannot be loaded: {error}") from error


def _module_name(path: str) -> str:
    """A name for the cache, which no other library has: `msgspec._core`."""
    folder, _, name = path.removeprefix(f"{SITE_PACKAGES}/").rpartition("/")
    full = f"{folder}/{name.partition('.')[0]}".strip("/")
    return full.replace("/", ".").replace("-", "_")[-NAME_MAX:]


def _thunks(
    engine: wasmtime.Engine, name: str, module: Module, late: tuple[str, ...]
) -> wasmtime.Module | None:
    if not late:
        return None
    code = thunks(module, late)
    return load_compiled(engine, f"{name}.thunks", hashlib.sha256(code).hexdigest(), lambda: code)


def _header(path: str, data: bytes) -> bytes:
    try:
        module = Module.parse(data)
        interface = SideModule.parse(module)
        late = [name for name in interface.imported_functions() if name not in _main_names()]
        facts = {"sha256": hashlib.sha256(data).hexdigest(), "late": late}
        mark = Section(SectionId.CUSTOM, json.dumps(facts).encode(), _SECTION)
        return Module((*header(module).sections, mark)).encode()
    except MalformedModule as error:
        raise BadWheel(f"{path} is not a library for WebAssembly: {error}") from error


@cache
def _main_names() -> frozenset[str]:
    """What the main module exports, or has of its host."""
    module = Module.parse(ensure_release().wasm.read_bytes())
    exported = {export.name for export in module.exports()}
    return frozenset(exported | {i.name for i in module.imports() if i.module == "env"})
