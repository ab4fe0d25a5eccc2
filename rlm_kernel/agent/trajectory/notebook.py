"""A trajectory as a notebook that people read, and that runs again without any model."""

from __future__ import annotations

from typing import Any

from rlm_kernel.agent.answers import TextAnswer, find_text_answer
from rlm_kernel.agent.fences import parse_reply, without_thoughts
from rlm_kernel.agent.trajectory import prose
from rlm_kernel.agent.trajectory.cells import Cell, Cells
from rlm_kernel.agent.trajectory.opening import EMBEDDED_BYTES, opening_cell
from rlm_kernel.agent.trajectory.trajectory import (
    Block,
    RecordedRun,
    RecordedTurn,
    Trajectory,
)

Notebook = dict[str, Any]

_IMPORT = "from rlm_kernel.guest import recorded\n\n"
ANSWER_CODE = f"{_IMPORT}recorded.answer()"
ANEW_CODE = (
    f"# Here the run's session was lost, and its variables with it.\n{_IMPORT}recorded.start_anew()"
)
KERNEL = {"name": "rlm-kernel", "display_name": "Python 3.14 (rlm-kernel sandbox)"}
"""The kernelspec of `rlm-kernel kernelspec install`; `language` goes without saying."""

_BLOCK_FACTS = {"at", "cut", "duration_s", "finished", "ok", "state", "timed_out"}


def notebook(
    trajectory: Trajectory,
    run: str = "0",
    *,
    context_file: str | None = None,
    embedded_bytes: int = EMBEDDED_BYTES,
) -> Notebook:
    """The run that is named as a notebook (nbformat 4.5). Raises KeyError for an unknown one.

    It holds the question, each turn's words and code with its real outputs, sub-calls, child runs,
    the answer, and what it took. Run by the kernel `rlm-kernel`, its first cell defines `context`,
    and the session's functions answer from the recording: the outputs come out the same.

    A context of at most `embedded_bytes` is within the notebook. For a larger one `context_file` is
    the name of the file, beside it, that has `RecordedContext.data()`; without one the notebook is
    to be read only, and its first cell says so.
    """
    told = trajectory.run(run)
    cells = Cells()
    cells.markdown(prose.title(told))
    cells.add(opening_cell(told, context_file, embedded_bytes))
    for turn in told.turns:
        _add_turn(cells, told, turn)
    _add_answer(cells, told)
    if told.children:
        cells.markdown(prose.children(told))
    cells.markdown(prose.usage(told, trajectory))
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": _metadata(told),
        "cells": cells.as_list(),
    }


def _metadata(run: RecordedRun) -> Notebook:
    facts = run.model_dump(mode="json", include={"name", "model", "query", "session_ids", "usage"})
    return {
        "kernelspec": {**KERNEL, "language": "python"},
        "language_info": {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"},
        "rlm_kernel": {**facts, "status": run.status},
    }


def _add_turn(cells: Cells, run: RecordedRun, turn: RecordedTurn) -> None:
    cells.markdown(prose.turn(turn))
    for block in turn.blocks:
        if block.sub_calls:
            cells.markdown(*prose.sub_calls(block.sub_calls))
        cells.add(_code_cell(block))
        if not block.repeatable:
            cells.markdown(prose.interrupted(block))
        if block.state == "lost":
            cells.code(ANEW_CODE)
    if turn.sub_calls:
        cells.markdown(*prose.sub_calls(turn.sub_calls))


def _code_cell(block: Block) -> Cell:
    facts = block.model_dump(mode="json", include=_BLOCK_FACTS)
    calls = [call.model_dump(mode="json", exclude={"prompt", "reply"}) for call in block.sub_calls]
    tags = [] if block.ok else ["raises-exception"]
    tags += [] if block.repeatable else ["skip-execution"]
    return Cell(
        "code",
        block.code,
        {"rlm_kernel": {**facts, "sub_calls": calls}, **({"tags": tags} if tags else {})},
        outputs=block.outputs,
        execution_count=block.execution_count,
    )


def _add_answer(cells: Cells, run: RecordedRun) -> None:
    cells.markdown(prose.ending(run))
    if run.answer is None:
        return
    if not any(block.answered for block in run.blocks):
        cells.code(_answer_code(run))
    shown = {"text/plain": run.answer.text}
    result = {"output_type": "execute_result", "data": shown, "metadata": {}}
    cells.code(ANSWER_CODE, ({**result, "execution_count": None},))


def _answer_code(run: RecordedRun) -> str:
    """What the agent had the session work out: the answer stood in the text of the reply."""
    assert run.answer is not None
    written = _written_answer(run)
    if written is None or run.answer.source == "forced":
        return f"FINAL({run.answer.text!r})"
    return written.code


def _written_answer(run: RecordedRun) -> TextAnswer | None:
    reply = run.turns[-1].reply if run.turns else None
    if reply is None:
        return None
    text = without_thoughts(reply)
    return find_text_answer(parse_reply(reply).prose) or find_text_answer(text, anywhere=True)
