"""How a benchmark says what it measured."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

NAME_WIDTH = 38


def spread(name: str, values: Sequence[float], unit: str, *, last: bool = False) -> None:
    """Prints the median, and in parentheses the 10th and 90th percentiles.

    With `last` the 99th percentile follows.
    """
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    low, middle, high = cuts[9], statistics.median(values), cuts[89]
    tail = f"  p99 {cuts[98]:.2f}" if last else ""
    between = f"({low:.2f} .. {high:.2f}){tail}"
    print(f"{name:<{NAME_WIDTH}}{middle:9.2f} {unit:<3}  {between}", flush=True)


def single(name: str, value: float, unit: str) -> None:
    print(f"{name:<{NAME_WIDTH}}{value:9.2f} {unit}", flush=True)
