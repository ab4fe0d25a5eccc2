"""Imports packages before the first fork, so that every session has them at once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import import_module

REPORT = "/tmp/.preload"
"""Where the zygote reads, and removes, what could not be imported: pairs of name and reason."""

REASON_MAX = 300


def import_all(names: Sequence[str]) -> None:
    """Imports these modules; one that fails is told of and passed over."""
    if not names:
        return
    failed = [pair for name in names if (pair := _attempt(name)) is not None]
    with open(REPORT, "w", encoding="utf-8") as report:
        json.dump(failed, report)


def _attempt(name: str) -> tuple[str, str] | None:
    try:
        import_module(name)
    except BaseException as error:  # whatever a package does must not stop the others
        text = " ".join(str(error).split())
        return name, f"{type(error).__name__}: {text}"[:REASON_MAX]
    return None
