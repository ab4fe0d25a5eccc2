"""Counting what calls took."""

from __future__ import annotations

from rlm_kernel.agent.ledger.costs import CostRecord, ModelCosts
from rlm_kernel.agent.models.model import Completion


def test_calls_are_summed_by_model_and_in_total() -> None:
    record = CostRecord()
    record.completed("a", Completion("", 1_000, 10, 0.25))
    record.completed("a", Completion("", 2_000, 20, None))
    record.completed("b", Completion("", 3, 4, 0.5))
    record.failed("b")
    summary = record.summary()
    assert summary.models == {
        "a": ModelCosts(2, 0, 3_000, 30, 0.25, 1),
        "b": ModelCosts(2, 1, 3, 4, 0.5, 0),
    }
    assert summary.total == ModelCosts(4, 1, 3_003, 34, 0.75, 1)
    totals = (summary.total_cost, summary.total_input_tokens, summary.total_output_tokens)
    assert totals == (0.75, 3_003, 34)
    assert str(summary) == (
        "4 model calls, 1 of them failed, 3,003 tokens in, 34 out, $0.7500 and 1 without a price"
    )


def test_a_summary_does_not_change_afterwards_and_clear_begins_at_zero() -> None:
    record = CostRecord()
    record.failed("a")
    before = record.summary()
    record.failed("a")
    record.clear()
    assert before.total.calls == 1
    assert record.summary().total == ModelCosts()
