"""Everything that a guest is started from, fetched and compiled where it is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import wasmtime

from rlm_kernel.progress import SILENT, Progress
from rlm_kernel.pyodide.bytecode import bytecode_compiler
from rlm_kernel.pyodide.compilation import load_pyodide
from rlm_kernel.pyodide.engine import make_engine
from rlm_kernel.pyodide.image import Image
from rlm_kernel.pyodide.layers import guest_image
from rlm_kernel.pyodide.preloaded import Preloaded
from rlm_kernel.pyodide.release import ensure_release
from rlm_kernel.pyodide.syntax_trees import syntax_tree_parser


@dataclass(frozen=True, slots=True)
class Installation:
    """The engine, the compiled interpreter, the Python files of the guest with those of the
    preloaded packages, and what else there is of these."""

    engine: wasmtime.Engine
    module: wasmtime.Module
    image: Image
    preloaded: Preloaded


def ensure_installation(
    progress: Progress = SILENT, *, url: str | None = None, preload: Sequence[str] = ()
) -> Installation:
    """Loads the installation from the cache after completing it.

    `url` is a base URL or a directory of the Pyodide release, `preload` are requirements or paths
    of wheels. Raises FetchError where a part can be had from nowhere, PackageError for what cannot
    be preloaded, and CacheError for a cache that cannot be trusted.
    """
    engine = make_engine()
    module = load_pyodide(engine, progress, url=url)
    stdlib = ensure_release(progress, url=url).stdlib
    compile_tree = bytecode_compiler(engine, module, stdlib)
    image = guest_image(compile_tree, syntax_tree_parser(engine, module), stdlib, progress)
    preloaded = Preloaded()
    if preload:
        # Here and not above: what reads wheels and requirements is seldom needed.
        from rlm_kernel.pyodide.packages import ensure_preloaded

        preloaded = ensure_preloaded(preload, engine, compile_tree, progress, url=url)
    return Installation(engine, module, Image(image, preloaded.image), preloaded)
