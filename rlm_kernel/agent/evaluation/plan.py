"""Which items are to be answered, and in which ways."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rlm_kernel.agent.evaluation.catalogue import TASKS
from rlm_kernel.agent.evaluation.item import ItemName
from rlm_kernel.agent.evaluation.methods import METHODS
from rlm_kernel.errors import ConfigurationError

Step = tuple[ItemName, str]
"""An item and the name of the method that it is to be answered by."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`count` items of each task at each length (in tokens), each by all methods."""

    tasks: tuple[str, ...]
    lengths: tuple[int, ...]
    count: int
    methods: tuple[str, ...] = METHODS
    seed: int = 0

    def __post_init__(self) -> None:
        _check("task", self.tasks, tuple(TASKS))
        _check("method", self.methods, METHODS)
        if not self.lengths:
            raise ConfigurationError("no length is given")
        if self.count < 1:
            raise ConfigurationError("there must be at least one item of each task and length")

    def steps(self) -> Iterator[Step]:
        """All there is to do, so that what is done first is a small evaluation of everything."""
        for number in range(self.count):
            for length in self.lengths:
                for task in self.tasks:
                    for method in self.methods:
                        yield ItemName(task, length, number, self.seed), method


def _check(what: str, given: tuple[str, ...], known: tuple[str, ...]) -> None:
    unknown = [name for name in given if name not in known]
    if unknown or not given:
        asked = repr(", ".join(unknown)) if unknown else "is given"
        raise ConfigurationError(f"no {what} {asked}: there are {', '.join(known)}")
