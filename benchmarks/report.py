"""How a benchmark says what it measured."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

NAME_WIDTH = 38


def spread(name: str, values: Sequence[float], unit: str) -> None:
    """Prints the median, and in parentheses the 10th and 90th percentiles."""
    low, *_, high = statistics.quantiles(values, n=10, method="inclusive")
    middle = statistics.median(values)
    print(f"{name:<{NAME_WIDTH}}{middle:9.2f} {unit:<3}  ({low:.2f} .. {high:.2f})", flush=True)


def single(name: str, value: float, unit: str) -> None:
    print(f"{name:<{NAME_WIDTH}}{value:9.2f} {unit}", flush=True)
