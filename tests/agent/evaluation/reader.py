"""Tells the kind of a message by the sentences it is made of, which only we know."""

from __future__ import annotations

import re
from functools import cache

from rlm_kernel.agent.evaluation.wordings import CORES


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    return [(kind, _pattern(core)) for kind, cores in CORES.items() for core in cores]


def _pattern(core: str) -> re.Pattern[str]:
    parts = re.split(r"\{\w+\}", core)
    return re.compile(r"[\w ]+".join(re.escape(part) for part in parts), re.IGNORECASE)


def kind_of(text: str) -> str:
    found = {kind for kind, pattern in _patterns() if pattern.search(text)}
    assert len(found) == 1, (text, found)
    return found.pop()
