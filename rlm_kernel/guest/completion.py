"""Completion by jedi, which finds the syntax trees of the standard library in the image."""

from __future__ import annotations

SYNTAX_TREES = "/lib/python3.14/syntax-trees"
"""Where the trees are, in the form of parso's cache. Their sources count as never changing."""


def use_image() -> None:
    """Has jedi read its trees there, and keep those of other files in memory alone."""
    import jedi  # type: ignore[import-untyped]
    from parso import cache

    jedi.settings.cache_directory = SYNTAX_TREES
    cache._save_to_file_system = _keep_nothing
    cache._remove_cache_and_update_lock = _keep_nothing


def _keep_nothing(*_arguments: object, **_options: object) -> None:
    """It would fill the session's own file system, and nobody would ever read it."""
