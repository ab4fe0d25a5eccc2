"""What a session offers to code, and what is the code's own."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

OWN_NAMES = frozenset({"In", "Out", "exit", "quit", "get_ipython", "open"})
"""IPython's."""


class Offering:
    """Functions that keep their names in a namespace; its other variables are the code's."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._namespace = namespace
        self._functions: dict[str, Any] = {}

    def put(self, functions: Mapping[str, Any]) -> None:
        """Offer these, in the place of those offered before."""
        self.withdraw()
        self._functions = dict(functions)
        self.renew()

    def renew(self) -> None:
        """Give the functions their names again, whatever code has made of these."""
        self._namespace.update(self._functions)

    def withdraw(self) -> None:
        """Take back what was offered, but for names that have other values now."""
        for name, function in self._functions.items():
            if self._namespace.get(name) is function:
                del self._namespace[name]

    def variables(self) -> dict[str, Any]:
        """Those of the code, by name."""
        return {
            name: value
            for name, value in self._namespace.items()
            if not (name.startswith("_") or name in OWN_NAMES or name in self._functions)
            and not isinstance(value, ModuleType)
        }
