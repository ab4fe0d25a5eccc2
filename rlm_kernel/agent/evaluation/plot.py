"""Score and cost against length: a chart of each for every task, as one SVG."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rlm_kernel.agent.evaluation import svg
from rlm_kernel.agent.evaluation.axis import Axis, decades_axis, lengths_axis
from rlm_kernel.agent.evaluation.summary import Group
from rlm_kernel.agent.evaluation.tokens import show_length

_WIDTH, _HEIGHT = 220.0, 150.0  # of a chart
_LEFT, _TOP, _RIGHT, _GAP, _BOTTOM = 74.0, 76.0, 24.0, 56.0, 66.0
_GRID = 'stroke="#e5e7eb"'
_GREY = 'fill="#6b7280"'
_LOOKS = {
    "rlm": ("#1d4ed8", "", svg.dot),
    "plain": ("#c2410c", 'stroke-dasharray="5 3"', svg.square),
}


@dataclass(frozen=True, slots=True)
class _Measure:
    """What a row of charts shows. `value` is None where a group has none to show."""

    title: str
    axis: Axis
    value: Callable[[Group], float | None]
    error: Callable[[Group], float]


def plot(groups: Sequence[Group], title: str) -> str:
    """An SVG with a column for each task. Scores count errors as 0; bars are standard errors."""
    tasks = list(dict.fromkeys(group.task for group in groups))
    measures = [_score(), _cost(groups)]
    across = lengths_axis((group.length for group in groups), lambda v: show_length(int(v)))
    width = _LEFT + len(tasks) * (_WIDTH + _GAP) - _GAP + _RIGHT
    height = _TOP + len(measures) * (_HEIGHT + _GAP) - _GAP + _BOTTOM
    return svg.drawing(width, height, _shapes(groups, tasks, measures, across, title, height))


def _score() -> _Measure:
    axis = Axis(0, 1, (0, 0.25, 0.5, 0.75, 1), lambda value: f"{value:g}")
    return _Measure("score", axis, lambda group: group.overall.mean, _standard_error)


def _cost(groups: Sequence[Group]) -> _Measure:
    """Money where everything has a price that is not 0, else tokens."""
    costs = [group.cost_usd for group in groups if group.cost_usd]
    if len(costs) == len(groups):
        axis = decades_axis(costs, lambda value: f"${value:g}")
        return _Measure("cost per item", axis, lambda group: group.cost_usd, lambda group: 0.0)
    axis = decades_axis([group.tokens for group in groups if group.tokens], _thousands)
    return _Measure("tokens per item", axis, lambda group: group.tokens or None, lambda group: 0.0)


def _shapes(
    groups: Sequence[Group],
    tasks: Sequence[str],
    measures: Sequence[_Measure],
    across: Axis,
    title: str,
    height: float,
) -> Iterator[str]:
    yield svg.text((_LEFT, 26), title, 'font-size="15" font-weight="600"')
    yield from _legend(list(dict.fromkeys(group.method for group in groups)))
    for column, task in enumerate(tasks):
        x = _LEFT + column * (_WIDTH + _GAP)
        yield svg.text((x, _TOP - 8), task, 'font-weight="600"')
        own = [group for group in groups if group.task == task]
        for row, measure in enumerate(measures):
            y = _TOP + row * (_HEIGHT + _GAP)
            if column == 0:
                yield _title(measure.title, (x - 52, y + _HEIGHT / 2))
            yield from _chart(own, measure, across, x, y)
    note = "Errors count as a score of 0. Bars: standard error. Lengths in estimated tokens."
    yield svg.text((_LEFT, height - 12), note, f'{_GREY} font-size="11"')


def _legend(methods: Sequence[str]) -> Iterator[str]:
    x = _LEFT
    for method in methods:
        colour, dash, marker = _LOOKS[method]
        yield svg.line((x, 42), (x + 28, 42), f'stroke="{colour}" stroke-width="2" {dash}')
        yield marker((x + 14, 42), 4, f'fill="{colour}"')
        yield svg.text((x + 36, 46), method, "")
        x += 96


def _title(words: str, at: svg.Point) -> str:
    """Upwards, beside the axis."""
    turned = f'transform="rotate(-90 {at[0]:.1f} {at[1]:.1f})" text-anchor="middle"'
    return svg.text(at, words, f"{_GREY} {turned}")


def _chart(
    groups: Sequence[Group], measure: _Measure, across: Axis, x: float, y: float
) -> Iterator[str]:
    for tick in measure.axis.ticks:
        at = measure.axis.place(tick, y + _HEIGHT, y)
        yield svg.line((x, at), (x + _WIDTH, at), _GRID)
        yield svg.text((x - 8, at + 4), measure.axis.show(tick), f'{_GREY} text-anchor="end"')
    for tick in across.ticks:
        at = across.place(tick, x, x + _WIDTH)
        yield svg.line((at, y + _HEIGHT), (at, y + _HEIGHT + 4), 'stroke="#9ca3af"')
        label = across.show(tick)
        yield svg.text((at, y + _HEIGHT + 18), label, f'{_GREY} text-anchor="middle"')
    for method in dict.fromkeys(group.method for group in groups):
        own = [group for group in groups if group.method == method]
        yield from _series(own, measure, across, x, y)


def _series(
    groups: Sequence[Group], measure: _Measure, across: Axis, x: float, y: float
) -> Iterator[str]:
    colour, dash, marker = _LOOKS[groups[0].method]
    points: list[svg.Point] = []
    for group in groups:
        value = measure.value(group)
        if value is None:
            continue
        at = across.place(group.length, x, x + _WIDTH)
        points.append((at, measure.axis.place(value, y + _HEIGHT, y)))
        error = measure.error(group)
        if error:
            ends = (measure.axis.place(value + each, y + _HEIGHT, y) for each in (-error, error))
            low, high = ((at, end) for end in ends)
            yield svg.line(low, high, f'stroke="{colour}" stroke-opacity="0.45" stroke-width="2"')
    yield svg.path(points, f'fill="none" stroke="{colour}" stroke-width="2" {dash}')
    for point in points:
        yield marker(point, 4, f'fill="{colour}"')


def _standard_error(group: Group) -> float:
    return (group.overall.deviation or 0.0) / math.sqrt(group.items)


def _thousands(value: float) -> str:
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"
