"""What recorded calls took, by the books of the run that made them."""

from __future__ import annotations

from rlm_kernel.agent.ledger.costs import CostRecord, CostSummary
from rlm_kernel.agent.models.model import Completion
from rlm_kernel.agent.trajectory.trajectory import RecordedRun, RecordedTurn, SubCall


def taken_by_call(run: RecordedRun, call: SubCall) -> CostSummary:
    """What a sub-call of `run` took: its own call, or all calls of the child run that answered."""
    record = CostRecord()
    _add_call(record, run, call)
    return record.summary()


def _add_call(record: CostRecord, run: RecordedRun, call: SubCall) -> None:
    child = run.child_of(call)
    if child is not None:
        _add_run(record, child)
    elif call.child is None and not call.is_tool:
        _add(record, call.model, call)


def _add_run(record: CostRecord, run: RecordedRun) -> None:
    for turn in run.turns:
        _add(record, run.model, turn)
    for call in run.sub_calls:
        _add_call(record, run, call)


def _add(record: CostRecord, model: str, call: RecordedTurn | SubCall) -> None:
    if call.reply is None:
        record.failed(model)
        return
    tokens = call.input_tokens or 0, call.output_tokens or 0
    record.completed(model, Completion(call.reply, *tokens, call.cost_usd))
