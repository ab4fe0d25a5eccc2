"""Syntax trees of the standard library, kept in the image: completions would wait to parse it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

import wasmtime

from rlm_kernel.emscripten.nodes import Directory, expect_file
from rlm_kernel.errors import ZygoteError
from rlm_kernel.pyodide.interpreter import Interpreter
from rlm_kernel.pyodide.layers import COMPLETION, PRUNING, STDLIB, ParseTrees

MEMORY_BYTES = 1 << 30

SYNTAX_TREES = "/lib/python3.14/syntax-trees"
"""Where the guest's `completion` module has jedi look for them."""

MODULES = """
asyncio base64 collections contextlib copy csv dataclasses datetime decimal enum functools hashlib
io itertools json logging math operator os os.path pathlib random re statistics string sys time
typing
"""

_VALUES = ("", "''.", "b''.", "[].", "{}.", "set().", "().", "(0).", "0.5.", "open('').")

_SOURCES = "/tmp/sources"

_PROGRAM = f"""
import importlib, math, pathlib, pickle, sys, types
import jedi, parso.cache
from jedi.inference import InferenceState, flow_analysis

sys.path.insert(0, {_SOURCES!r})
from completion import use_image
from pruning import pruned

STUBS = pathlib.Path(jedi.__file__).parent / "third_party/typeshed/stdlib"
LIBRARY = pathlib.Path({STDLIB!r})
PLATFORM = types.SimpleNamespace(platform="linux", version_info=sys.version_info)
parse = InferenceState.parse_and_get_code

def parse_pruned(state, code=None, path=None, use_latest_grammar=False, file_io=None, **options):
    if code is None and file_io is not None:
        code = without_superfluous(pathlib.Path(file_io.path), file_io.read())
    return parse(state, code, path, use_latest_grammar, file_io, **options)

def without_superfluous(path, source):
    if isinstance(source, bytes):
        source = source.decode()
    if path.is_relative_to(STUBS):
        return pruned(source, {{"sys": PLATFORM, "TYPE_CHECKING": True}})
    if not path.is_relative_to(LIBRARY):
        return source
    module = path.relative_to(LIBRARY).with_suffix("")
    module = module.parent if module.name == "__init__" else module
    imported = sys.modules.get(".".join(module.parts))
    names = vars(imported) if imported else {{}}
    stubs = STUBS / module.with_suffix(".pyi"), STUBS / module / "__init__.pyi"
    return pruned(source, names, bodies=not any(stub.exists() for stub in stubs))

use_image()
InferenceState.parse_and_get_code = parse_pruned
flow_analysis.reachability_check = lambda *arguments, **options: flow_analysis.REACHABLE

def complete(code):
    for found in jedi.Interpreter(code, [{{}}]).complete():
        found.type
        if found.type == "function":
            found.get_signatures()

for code in {_VALUES!r}:
    complete(code)
for module in {MODULES.split()!r}:
    importlib.import_module(module)
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
            image={**image, **_sources()},
            memory_limit=MEMORY_BYTES,
            devices={},
            sleep=lambda seconds: time.sleep(seconds or 0),
        )
        if interpreter.run(_PROGRAM) != 0:
            raise ZygoteError("the guest could not parse its standard library")
        folder = interpreter.program.filesystem.make_directories(SYNTAX_TREES)
        return dict(_files(SYNTAX_TREES, folder))

    return parse_trees


def _sources() -> dict[str, bytes]:
    """What the program imports of ours, which is not in the image yet."""
    return {f"{_SOURCES}/{file.name}": file.read_bytes() for file in (COMPLETION, PRUNING)}


def _files(path: str, folder: Directory) -> Iterator[tuple[str, bytes]]:
    for name, node in folder.entries.items():
        if isinstance(node, Directory):
            yield from _files(f"{path}/{name}", node)
        else:
            file = expect_file(node)
            yield f"{path}/{name}", bytes(file.read_at(0, file.size))
