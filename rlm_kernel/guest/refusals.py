"""Modules that cannot work here, and why."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

NO_JAVASCRIPT = "there is no JavaScript in this sandbox"
REASONS = {"_pyodide_core": NO_JAVASCRIPT, "js": NO_JAVASCRIPT, "pyodide_js": NO_JAVASCRIPT}


class Refusals(MetaPathFinder):
    """Fails the import of these modules with the reason."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname in REASONS:
            raise ModuleNotFoundError(f"{fullname}: {REASONS[fullname]}", name=fullname)
        return None
