"""A trajectory as the official RLM library logs one, for its visualizer and other readers.

The first line is the run's `metadata`, each other line an `iteration`: a turn. What the library has
no place for is added under names of our own, which its readers ignore: `outputs`, `state` and
`tool_calls` of a block, and what is known of the run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from rlm_kernel.agent.ledger.costs import CostSummary, ModelCosts
from rlm_kernel.agent.trajectory.taken import taken_by_call
from rlm_kernel.agent.trajectory.text import error_text, stream_text
from rlm_kernel.agent.trajectory.trajectory import (
    Block,
    RecordedRun,
    SubCall,
    Trajectory,
)

Entry = dict[str, Any]


def jsonl(trajectory: Trajectory, run: str = "0") -> Iterator[str]:
    """The lines, each with its end, of the run that is named. Raises KeyError for an unknown one.

    A child run is within the `metadata` of the call that started it, as the library has it.
    """
    for entry in _entries(trajectory.run(run)):
        yield json.dumps(entry, ensure_ascii=False) + "\n"


def _entries(run: RecordedRun) -> Iterator[Entry]:
    yield {"type": "metadata", "timestamp": _time(run.at), **_metadata(run)}
    for number, turn in enumerate(run.turns, 1):
        last = number == len(run.turns)
        yield {
            "type": "iteration",
            "iteration": number,
            "timestamp": _time(turn.at),
            "prompt": [message.model_dump() for message in turn.prompt],
            "response": turn.reply or "",
            "code_blocks": [_code_block(run, block) for block in turn.blocks],
            "final_answer": run.answer.text if last and run.answer else None,
            "iteration_time": None if turn.ended_at is None else turn.ended_at - turn.at,
        }


def _metadata(run: RecordedRun) -> Entry:
    return {
        "root_model": run.model,
        "max_depth": run.depth_left,
        "max_iterations": run.max_turns,
        "backend": "litellm",
        "backend_kwargs": {"model_name": run.model},
        "environment_type": "rlm-kernel",
        "environment_kwargs": {"session_ids": list(run.session_ids)},
        "other_backends": None,
        "query": run.query,
        "context": {"type": run.context.type_name, "note": run.context.note},
        "status": run.status,
        "failure": run.failure.model_dump() if run.failure else None,
        "usage": run.usage,
    }


def _code_block(run: RecordedRun, block: Block) -> Entry:
    errors = error_text(block.outputs)
    return {
        "code": block.code,
        "result": {
            "stdout": stream_text(block.outputs, "stdout"),
            "stderr": stream_text(block.outputs, "stderr") + errors,
            "locals": {},
            "execution_time": block.duration_s or 0.0,
            "rlm_calls": [_call(run, call) for call in block.sub_calls if not call.is_tool],
            "final_answer": run.answer.text if block.answered and run.answer else None,
            "outputs": list(block.outputs),
            "state": block.state,
            "tool_calls": [_tool_call(call) for call in block.sub_calls if call.is_tool],
        },
    }


def _call(run: RecordedRun, call: SubCall) -> Entry:
    taken = taken_by_call(run, call)
    entry: Entry = {
        "root_model": call.model,
        "prompt": call.prompt,
        "response": call.reply or "",
        "prompt_tokens": taken.total_input_tokens,
        "completion_tokens": taken.total_output_tokens,
        "usage_summary": _usage(taken),
        "execution_time": call.duration_s or 0.0,
    }
    child = run.child_of(call)
    if child is not None:
        metadata, *iterations = _entries(child)
        entry["metadata"] = {"run_metadata": metadata, "iterations": iterations}
    if call.error is not None:
        entry["error"] = call.error
    return entry


def _tool_call(call: SubCall) -> Entry:
    kept = {"function", "prompt", "reply", "error", "duration_s"}
    return call.model_dump(include=kept)


def _usage(taken: CostSummary) -> Entry:
    usage = {"model_usage_summaries": {name: _share(each) for name, each in taken.models.items()}}
    return usage | _cost(taken.total)


def _share(costs: ModelCosts) -> Entry:
    return {
        "total_calls": costs.calls,
        "total_input_tokens": costs.input_tokens,
        "total_output_tokens": costs.output_tokens,
        **_cost(costs),
    }


def _cost(costs: ModelCosts) -> Entry:
    """The library leaves it out where it is not known."""
    return {"total_cost": costs.cost_usd} if costs.is_priced else {}


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()
