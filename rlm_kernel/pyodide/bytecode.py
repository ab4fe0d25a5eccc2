"""Compiles Python sources for the guest, by the guest's own CPython."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import wasmtime

from rlm_kernel.emscripten.nodes import expect_file
from rlm_kernel.errors import ZygoteError
from rlm_kernel.pyodide.interpreter import Interpreter
from rlm_kernel.pyodide.layers import STDLIB

MEMORY_BYTES = 1 << 30

_SOURCES = "/sources"
_LIST = "/tmp/list"
_PROGRAM = f"""
import py_compile
for path in open({_LIST!r}).read().splitlines():
    try:
        py_compile.compile(
            {_SOURCES!r} + path,
            dfile=path,
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
    except py_compile.PyCompileError:
        pass
"""


def bytecode_compiler(
    engine: wasmtime.Engine, module: wasmtime.Module, stdlib: Path
) -> Callable[[Mapping[str, bytes]], Mapping[str, bytes]]:
    """A function from sources (absolute guest path to bytes) to their `.pyc` files.

    A source that does not compile has none. The interpreter lives for one call.
    """

    def compile_tree(sources: Mapping[str, bytes]) -> dict[str, bytes]:
        image = {_SOURCES + path: source for path, source in sources.items()}
        image |= {STDLIB: stdlib.read_bytes(), _LIST: "\n".join(sources).encode()}
        interpreter = Interpreter(
            engine,
            module,
            image=image,
            memory_limit=MEMORY_BYTES,
            devices={},
            sleep=lambda seconds: time.sleep(seconds or 0),
        )
        if interpreter.run(_PROGRAM) != 0:
            raise ZygoteError("the guest could not compile its packages")
        files = interpreter.program.filesystem
        compiled: dict[str, bytes] = {}
        for path in map(_bytecode_path, sources):
            if files.exists(_SOURCES + path):
                file = expect_file(files.resolve(_SOURCES + path))
                compiled[path] = bytes(file.read_at(0, file.size))
        return compiled

    return compile_tree


def _bytecode_path(source: str) -> str:
    folder, _, name = source.rpartition("/")
    return f"{folder}/__pycache__/{name.removesuffix('.py')}.cpython-314.pyc"
