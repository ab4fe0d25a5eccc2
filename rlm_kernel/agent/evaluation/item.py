"""One question about one context, with the truth about it."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from rlm_kernel.agent.evaluation.truth import Truth

VERSION = 2
"""Of what is generated: the same for as long as the same name means the same text."""


@dataclass(frozen=True, slots=True, order=True)
class ItemName:
    """Which item: the task, the length in tokens, its number among those, and the seed of all.

    The same name is the same item, on every machine and in every process.
    """

    task: str
    length: int
    number: int
    seed: int = 0

    def random(self) -> Random:
        """The source of all that is random in the item."""
        return Random(f"{VERSION}/{self.task}/{self.length}/{self.number}/{self.seed}")


@dataclass(frozen=True, slots=True)
class Item:
    """`kind` is the kind of the question, within its task."""

    name: ItemName
    kind: str
    context: str
    question: str
    truth: Truth
