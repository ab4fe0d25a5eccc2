"""Modules compiled to machine code, once per module, engine and kind of CPU, and kept in the cache.

The Pyodide module loads in some 10 ms. Its CRC-32 is checked each time (4 ms of that), since the
engine itself checks nothing but the headers; a broken file is made anew. The checksum guards
against accidents. Against other people, the code is taken only from files and folders that nobody
but the user can write.
"""

from __future__ import annotations

import hashlib
import mmap
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import wasmtime

import rlm_kernel.wasm
from rlm_kernel.cache import keep_newest, locked, open_private, private_directory, replacing
from rlm_kernel.errors import CacheError, CompilationError
from rlm_kernel.progress import SILENT, Progress
from rlm_kernel.pyodide import release
from rlm_kernel.pyodide.cpu import levels
from rlm_kernel.pyodide.engine import fingerprint, make_engine

KEPT_PER_MODULE = 3
"""How many compiled forms of a module stay, for several engines or checkouts side by side."""


def load_pyodide(
    engine: wasmtime.Engine, progress: Progress = SILENT, *, url: str | None = None
) -> wasmtime.Module:
    """The pinned release's module, ready to instantiate; fetched and compiled if need be.

    `url` is a directory or base URL to fetch from first. `engine` is one of `make_engine`.
    Raises FetchError or CacheError.
    """

    def read() -> bytes:
        return release.ensure_release(progress, url=url).wasm.read_bytes()

    name = f"pyodide-{release.VERSION}"
    return load_compiled(engine, name, release.WASM.sha256, read, progress)


def load_compiled(
    engine: wasmtime.Engine,
    name: str,
    sha256: str,
    read: Callable[[], bytes],
    progress: Progress = SILENT,
) -> wasmtime.Module:
    """The module whose bytes have this SHA-256, from the cache or else compiled from `read()`.

    Legacy exception handling in it is translated first. Raises CacheError if the cache is not
    private to the user, MalformedModule or CompilationError if the bytes cannot be compiled.
    """
    directory = private_directory("compiled")
    paths = [directory / f"{name}-{key}.cwasm" for key in _keys(sha256)]
    # Of a lower level where the cache comes from a lesser machine, and may not be written.
    for path in paths:
        module = _load(engine, path)
        if module is not None:
            return module
    path = paths[0]
    with locked(path.with_name(name), progress):
        module = _load(engine, path)
        if module is None:
            _compile(path, name, read, progress)
            module = _load(engine, path)
        for suffix in (".cwasm", ".crc32"):
            keep_newest(path.parent.glob(f"{name}-*{suffix}"), KEPT_PER_MODULE)
    if module is None:
        raise CacheError(f"{path} was written and cannot be loaded: is the disk sound?")
    return module


def _keys(sha256: str) -> list[str]:
    """One for each level of CPU whose code runs here, the best first."""
    translator = hashlib.sha256()
    for source in sorted(Path(rlm_kernel.wasm.__file__).parent.glob("*.py")):
        translator.update(source.read_bytes())
    facts = [f"{sha256}\n{translator.hexdigest()}\n{fingerprint(level)}" for level in levels()]
    return [hashlib.sha256(fact.encode()).hexdigest()[:16] for fact in facts]


def _compile(path: Path, name: str, read: Callable[[], bytes], progress: Progress) -> None:
    wasm = read()
    progress.say(f"translating the exception handling of {name}")
    translated = rlm_kernel.wasm.translate_exceptions(wasm)
    progress.say(f"compiling {name} for this machine, once")
    try:
        code = wasmtime.Module(make_engine(threads=True), translated).serialize()
    except wasmtime.WasmtimeError as error:
        raise CompilationError(f"{name} cannot be compiled: {error}") from error
    with replacing(_checksum_path(path)) as file:
        file.write(f"{len(code)} {zlib.crc32(code):08x}".encode())
    with replacing(path) as file:
        file.write(code)


def _checksum_path(path: Path) -> Path:
    return path.with_suffix(".crc32")


def _load(engine: wasmtime.Engine, path: Path) -> wasmtime.Module | None:
    """The module in a file that is there, sound, and of this engine; else None."""
    try:
        with open_private(path) as file:
            return _deserialize(engine, file) if _is_sound(file, path) else None
    except (FileNotFoundError, wasmtime.WasmtimeError):
        return None


def _is_sound(file: BinaryIO, path: Path) -> bool:
    expected = _checksum_path(path).read_bytes()
    size = file.seek(0, 2)
    if not size:
        return False
    with mmap.mmap(file.fileno(), size, prot=mmap.PROT_READ) as code:
        return expected == f"{size} {zlib.crc32(code):08x}".encode()


def _deserialize(engine: wasmtime.Engine, file: BinaryIO) -> wasmtime.Module:
    try:
        # By descriptor, so that the file which was checked is the one that is mapped.
        return wasmtime.Module.deserialize_file(engine, f"/proc/self/fd/{file.fileno()}")
    except wasmtime.WasmtimeError:
        # On a file system mounted noexec the code cannot be mapped, only copied.
        file.seek(0)
        return wasmtime.Module.deserialize(engine, file.read())
