"""Axes: where a value lies between the ends of a line, and which values have a mark."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Axis:
    """Values from `low` to `high`, by their logarithms where `logarithmic`, with marked `ticks`."""

    low: float
    high: float
    ticks: Sequence[float]
    show: Callable[[float], str]
    logarithmic: bool = False

    def place(self, value: float, start: float, end: float) -> float:
        """Where a value lies on the line from `start` to `end`; one outside lies at an end."""
        low, high, at = (self._scaled(each) for each in (self.low, self.high, value))
        share = 0.5 if high == low else min(1.0, max(0.0, (at - low) / (high - low)))
        return start + (end - start) * share

    def _scaled(self, value: float) -> float:
        return math.log(value) if self.logarithmic else value


def lengths_axis(lengths: Iterable[int], show: Callable[[float], str]) -> Axis:
    """The lengths there are, each marked, the ends a little apart from the edges."""
    ticks = sorted(set(lengths))
    return Axis(ticks[0] / 1.4, ticks[-1] * 1.4, ticks, show, logarithmic=True)


def decades_axis(values: Iterable[float], show: Callable[[float], str]) -> Axis:
    """Whole powers of ten around the values, all of which are more than 0."""
    logs = [math.log10(value) for value in values] or [0.0]
    low, high = math.floor(min(logs)), math.ceil(max(logs))
    high = max(high, low + 1)
    ticks = [10.0**power for power in range(low, high + 1)]
    return Axis(ticks[0], ticks[-1], ticks, show, logarithmic=True)
