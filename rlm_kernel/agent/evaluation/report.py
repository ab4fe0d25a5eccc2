"""What people see of an evaluation: a line per result while it runs, a table and a plot after."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rlm_kernel.agent.evaluation.conditions import Conditions
from rlm_kernel.agent.evaluation.plot import plot
from rlm_kernel.agent.evaluation.result import Result
from rlm_kernel.agent.evaluation.summary import summarise
from rlm_kernel.agent.evaluation.table import markdown_table
from rlm_kernel.agent.evaluation.tokens import show_length


def progress_line(result: Result, done: int, total: int) -> str:
    """One result, and how far the evaluation is."""
    what = f"{result.task} {show_length(result.length)} no. {result.number}, {result.method}"
    if result.error is not None:
        outcome = f"error: {result.error.code}: {' '.join(result.error.message.split())}"
    else:
        outcome = f"{result.score:.2f}"
    return f"[{done}/{total}] {what}: {outcome} ({result.spent.seconds:.1f} s)"


def write_report(results: Iterable[Result], conditions: Conditions, stem: Path) -> str:
    """Write `stem`.md and `stem`.svg; returns the table. There must be a result."""
    groups = summarise(results)
    table = markdown_table(groups)
    title = f"{conditions.model}, seed {conditions.seed}"
    stem.with_name(f"{stem.name}.md").write_text(f"# {title}\n\n{table}")
    stem.with_name(f"{stem.name}.svg").write_text(plot(groups, title))
    return table
