"""The results as a table in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from rlm_kernel.agent.evaluation.summary import Group, Spread
from rlm_kernel.agent.evaluation.tokens import show_length

_HEAD = (
    "task",
    "length",
    "method",
    "items",
    "score (deviation)",
    "errors",
    "errors as 0",
    "context shown",
    "calls",
    "tokens",
    "cost",
    "seconds",
)


def markdown_table(groups: Sequence[Group]) -> str:
    """One row for each group. What is not known is a dash; calls, tokens, cost and seconds are
    means per item."""
    rows = [_HEAD, *[["---"] * len(_HEAD)], *map(_row, groups)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _row(group: Group) -> Sequence[str]:
    return (
        group.task,
        show_length(group.length),
        group.method,
        str(group.items),
        show_spread(group.score),
        ", ".join(f"{count} {code}" for code, count in sorted(group.errors.items())) or "0",
        show_spread(group.overall),
        "all, as a variable" if group.shown is None else f"{group.shown:.0%}",
        f"{group.calls:.1f}",
        f"{group.tokens:,.0f}",
        "-" if group.cost_usd is None else f"${group.cost_usd:.4f}",
        f"{group.seconds:.0f}" if group.seconds >= 10 else f"{group.seconds:.1f}",
    )


def show_spread(spread: Spread) -> str:
    """The mean, and the deviation where there is one."""
    if spread.mean is None:
        return "-"
    deviation = "" if spread.deviation is None else f" ({spread.deviation:.2f})"
    return f"{spread.mean:.2f}{deviation}"
