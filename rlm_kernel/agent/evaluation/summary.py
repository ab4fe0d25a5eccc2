"""Results of the same task, length and method, taken together."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rlm_kernel.agent.evaluation.result import Result


@dataclass(frozen=True, slots=True)
class Spread:
    """A mean, and the standard deviation of a sample; None where there is too little for it."""

    mean: float | None
    deviation: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of no values, of one, or of more."""
        mean = statistics.fmean(values) if values else None
        return cls(mean, statistics.stdev(values) if len(values) > 1 else None)


@dataclass(frozen=True, slots=True)
class Group:
    """All results of one task, length and method.

    `score` is that of the answers; `overall` that of all items, with 0 for each error. The rest are
    means per item, errors included; `cost_usd` is None where not every item has a price.
    """

    task: str
    length: int
    method: str
    items: int
    errors: dict[str, int]
    score: Spread
    overall: Spread
    tokens: float
    cost_usd: float | None
    seconds: float
    calls: float
    shown: float | None


def summarise(results: Iterable[Result]) -> list[Group]:
    """The groups, by task in order of appearance, then length, then method in that order too."""
    groups: dict[tuple[str, int, str], list[Result]] = {}
    for result in results:
        groups.setdefault((result.task, result.length, result.method), []).append(result)
    tasks = list(dict.fromkeys(task for task, _, _ in groups))
    methods = list(dict.fromkeys(method for _, _, method in groups))
    order = sorted(groups, key=lambda key: (tasks.index(key[0]), key[1], methods.index(key[2])))
    return [_group(*key, groups[key]) for key in order]


def _group(task: str, length: int, method: str, results: Sequence[Result]) -> Group:
    scores = [result.score for result in results if result.score is not None]
    costs = [result.spent.cost_usd for result in results if result.spent.cost_usd is not None]
    shown = [result.shown for result in results if result.shown is not None]
    return Group(
        task,
        length,
        method,
        len(results),
        _errors(results),
        Spread.of(scores),
        Spread.of([result.score or 0.0 for result in results]),
        statistics.fmean(result.spent.tokens for result in results),
        statistics.fmean(costs) if len(costs) == len(results) else None,
        statistics.fmean(result.spent.seconds for result in results),
        statistics.fmean(result.spent.calls for result in results),
        statistics.fmean(shown) if shown else None,
    )


def _errors(results: Iterable[Result]) -> dict[str, int]:
    errors: dict[str, int] = {}
    for result in results:
        if result.error is not None:
            errors[result.error.code] = errors.get(result.error.code, 0) + 1
    return errors
