"""Syntax trees of the standard library, kept in the image: completions would wait to parse it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

import wasmtime

from rlm_kernel.emscripten.nodes import Directory, expect_file
from rlm_kernel.errors import ZygoteError
from rlm_kernel.pyodide.interpreter import Interpreter
from rlm_kernel.pyodide.layers import ParseTrees

MEMORY_BYTES = 1 << 30

SYNTAX_TREES = "/lib/python3.14/syntax-trees"
"""Where the guest's `completion` module has jedi look for them."""

MODULES = """
asyncio base64 collections contextlib copy csv dataclasses datetime decimal enum functools hashlib
io itertools json logging math operator os os.path pathlib random re statistics string sys time
typing
"""

_VALUES = ("", "''.", "b''.", "[].", "{}.", "set().", "().", "(0).", "0.5.", "open('').")

_PROGRAM = f"""
import math, pathlib, pickle
import jedi, parso.cache

parso.cache._save_to_file_system = lambda *arguments, **options: None
parso.cache._remove_cache_and_update_lock = lambda *arguments, **options: None

def complete(code):
    for found in jedi.Interpreter(code, [{{}}]).complete():
        found.type
        if found.type == "function":
            found.get_signatures()

for code in {_VALUES!r}:
    complete(code)
for module in {MODULES.split()!r}:
    complete(f"import {{module}}\\n{{module}}.")
for grammar, trees in parso.cache.parser_cache.items():
    for path, tree in trees.items():
        if path is not None:
            tree.change_time = math.inf  # the files of the image never change
            name = parso.cache._get_hashed_path(grammar, path, pathlib.Path({SYNTAX_TREES!r}))
            with open(name, "wb") as file:
                pickle.dump(tree, file, pickle.HIGHEST_PROTOCOL)
"""


def syntax_tree_parser(engine: wasmtime.Engine, module: wasmtime.Module) -> ParseTrees:
    """A function from the image's files to those that hold the syntax trees of some of them.

    The interpreter lives for one call. It needs what jedi needs.
    """

    def parse_trees(image: Mapping[str, memoryview]) -> dict[str, bytes]:
        interpreter = Interpreter(
            engine,
            module,
            image=image,
            memory_limit=MEMORY_BYTES,
            devices={},
            sleep=lambda seconds: time.sleep(seconds or 0),
        )
        if interpreter.run(_PROGRAM) != 0:
            raise ZygoteError("the guest could not parse its standard library")
        folder = interpreter.program.filesystem.make_directories(SYNTAX_TREES)
        return dict(_files(SYNTAX_TREES, folder))

    return parse_trees


def _files(path: str, folder: Directory) -> Iterator[tuple[str, bytes]]:
    for name, node in folder.entries.items():
        if isinstance(node, Directory):
            yield from _files(f"{path}/{name}", node)
        else:
            file = expect_file(node)
            yield f"{path}/{name}", bytes(file.read_at(0, file.size))
