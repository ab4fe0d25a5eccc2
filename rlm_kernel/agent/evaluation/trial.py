"""One item answered in one way: what came out, whatever it was."""

from __future__ import annotations

import asyncio
import time

from rlm_kernel.agent.evaluation.catalogue import make_item
from rlm_kernel.agent.evaluation.item import Item, ItemName
from rlm_kernel.agent.evaluation.methods import Attempt, Method
from rlm_kernel.agent.evaluation.result import Failed, Result, Spent
from rlm_kernel.errors import ConfigurationError, ManagerUnavailable, RLMKernelError

_KEPT = 20_000  # characters of an answer
_ENDS_ALL = (ConfigurationError, ManagerUnavailable)
"""What is no item's fault, and would befall all that follow."""


async def evaluate(name: ItemName, method_name: str, method: Method) -> Result:
    """Make the item, have it answered, score it.

    An error is a result without a score. Raises ConfigurationError and ManagerUnavailable.
    """
    item = await asyncio.to_thread(make_item, name)
    attempt = method.begin(item)
    began = time.monotonic()
    try:
        answer = await attempt.answer()
    except RLMKernelError as error:
        if isinstance(error, _ENDS_ALL):
            raise
        failed = Failed(code=error.code, message=str(error))
        return _result(item, method_name, attempt, time.monotonic() - began, failed=failed)
    return _result(item, method_name, attempt, time.monotonic() - began, answer=answer)


def failed_result(name: ItemName, method_name: str, error: RLMKernelError) -> Result:
    """The result of an item of whose evaluation nothing but its failure is known."""
    item = make_item(name)
    return Result(
        task=name.task,
        length=name.length,
        number=name.number,
        method=method_name,
        kind=item.kind,
        score=None,
        truth=str(item.truth)[:_KEPT],
        error=Failed(code=error.code, message=str(error)),
    )


def _result(
    item: Item,
    method: str,
    attempt: Attempt,
    seconds: float,
    *,
    answer: str | None = None,
    failed: Failed | None = None,
) -> Result:
    score = None if answer is None else item.truth.score(answer)
    return Result(
        task=item.name.task,
        length=item.name.length,
        number=item.name.number,
        method=method,
        kind=item.kind,
        score=None if score is None else round(score.value, 6),
        truth=str(item.truth)[:_KEPT],
        read=None if score is None else score.read,
        answer=None if answer is None else answer[:_KEPT],
        error=failed,
        spent=_spent(attempt, seconds),
        turns=attempt.turns,
        shown=None if attempt.shown is None else round(attempt.shown, 4),
    )


def _spent(attempt: Attempt, seconds: float) -> Spent:
    total = attempt.costs.total
    return Spent(
        calls=total.calls,
        failed_calls=total.failed_calls,
        input_tokens=total.input_tokens,
        output_tokens=total.output_tokens,
        cost_usd=None if total.unpriced_calls else total.cost_usd,
        seconds=round(seconds, 3),
    )
