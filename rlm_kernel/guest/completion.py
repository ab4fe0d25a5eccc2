"""Completion by jedi, which finds the syntax trees of the standard library in the image.

They lack the branches that are not taken here, so jedi need not find out which those are, and the
bodies of functions whose types are known otherwise.
"""

from __future__ import annotations

import functools
import math
import os
from typing import Any

IMPORTS = 16
"""Statements whose names are remembered."""

SYNTAX_TREES = "/lib/python3.14/syntax-trees"
"""Where the trees are, in the form of parso's cache. Their sources count as never changing."""


def use_image() -> None:
    """Has jedi read its trees there, and keep those of other files in memory alone."""
    import jedi  # type: ignore[import-untyped]
    from parso import cache

    jedi.settings.cache_directory = SYNTAX_TREES
    cache._save_to_file_system = _keep_nothing
    cache._remove_cache_and_update_lock = _keep_nothing
    _use_one_grammar()
    _take_image_as_pruned()
    _remember_imported_names()


def _use_one_grammar() -> None:
    """Has stubs read by the session's own: jedi makes that of 3.13 for them, of the same rules."""
    from parso import grammar

    file = os.path.join(os.path.dirname(grammar.__file__), "python", "grammar313.txt")
    grammar._loaded_grammars[file] = grammar.load_grammar()


def _take_image_as_pruned() -> None:
    from jedi.inference import flow_analysis  # type: ignore[import-untyped]
    from parso.cache import parser_cache

    check = flow_analysis.reachability_check

    def check_unless_pruned(context: Any, *arguments: Any, **options: Any) -> Any:
        root = context.get_root_context()
        trees = parser_cache.get(root.inference_state.grammar._hashed, {})
        tree = trees.get(root.py__file__())
        if tree is not None and tree.change_time == math.inf:
            return flow_analysis.REACHABLE
        return check(context, *arguments, **options)

    flow_analysis.reachability_check = check_unless_pruned


def _remember_imported_names() -> None:
    """jedi asks for them once for each of them."""
    from parso.python.tree import ImportFrom

    find = functools.lru_cache(maxsize=IMPORTS)(ImportFrom.get_defined_names)
    ImportFrom.get_defined_names = find  # type: ignore[method-assign]


def _keep_nothing(*_arguments: object, **_options: object) -> None:
    """It would fill the session's own file system, and nobody would ever read it."""
