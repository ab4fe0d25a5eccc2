"""The modules that a package brings, to be imported by name."""

from __future__ import annotations

from collections.abc import Iterable

from rlm_kernel.pyodide.layers import SITE_PACKAGES

_SOURCES = (".py", ".so")


def import_names(paths: Iterable[str]) -> list[str]:
    """The top-level modules among a package's files, by guest path.

    Those with a leading underscore are the package's own business, unless it has no others.
    """
    found: dict[str, None] = {}
    for path in paths:
        relative = path.removeprefix(f"{SITE_PACKAGES}/")
        name = relative.partition("/")[0].partition(".")[0]
        folder = relative.partition("/")[0]
        is_module = path.endswith(_SOURCES) and path.startswith(SITE_PACKAGES)
        if is_module and name.isidentifier() and (folder == name or "/" not in relative):
            found[name] = None
    public = [name for name in found if not name.startswith("_")]
    return public or list(found)
