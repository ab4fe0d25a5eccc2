"""What is right, and what an answer is worth beside it: from 0 to 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from rlm_kernel.agent.evaluation.reading import Statement

_NEAR = 0.75  # what an answer keeps of its worth for each unit that it is off
_PAIRS_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Score:
    """What an answer is worth, and what was read in it; None where nothing was found."""

    value: float
    read: str | None


class Truth(Protocol):
    """The right answer of an item."""

    def score(self, answer: str) -> Score:
        """What a free-text answer is worth."""

    def __str__(self) -> str:
        """As the question asks for it."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number: 1 for it, 0 for others; of a `count`, 0.75 to the power of how far it is off."""

    value: int
    count: bool = True

    def score(self, answer: str) -> Score:
        read = Statement.of(answer).number
        if read is None:
            return Score(0.0, None)
        exact = float(read == self.value)
        return Score(_NEAR ** abs(read - self.value) if self.count else exact, str(read))

    def __str__(self) -> str:
        return str(self.value)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some options: 1 for it, 0 for others."""

    value: str
    options: Sequence[str]

    def score(self, answer: str) -> Score:
        read = Statement.of(answer).choice(self.options)
        return Score(float(read == self.value), read)

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Pairs:
    """A set of pairs of users: F1, the harmonic mean of precision and recall."""

    value: frozenset[tuple[int, int]]

    def score(self, answer: str) -> Score:
        read = Statement.of(answer).pairs
        if not read and not self.value:
            return Score(1.0, "none")
        hits = len(read & self.value)
        return Score(2 * hits / (len(read) + len(self.value)), _shown(read))

    def __str__(self) -> str:
        return "\n".join(f"({a}, {b})" for a, b in sorted(self.value)) or "none"


def _shown(pairs: frozenset[tuple[int, int]]) -> str | None:
    if not pairs:
        return None
    some = "; ".join(f"{a}, {b}" for a, b in sorted(pairs)[:_PAIRS_SHOWN])
    return f"{len(pairs)} pairs: {some}{'; ...' if len(pairs) > _PAIRS_SHOWN else ''}"
