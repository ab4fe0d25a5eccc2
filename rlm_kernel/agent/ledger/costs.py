"""What the model calls of an agent took: calls, tokens and money, by model."""

from __future__ import annotations

from dataclasses import dataclass

from rlm_kernel.agent.models.model import Completion


@dataclass(frozen=True, slots=True)
class ModelCosts:
    """What the calls of one model took.

    `cost_usd` sums the calls whose price is known; `unpriced_calls` counts the others, without
    those that failed. `uncertain_calls` are those of the failed ones that broke off: what they may
    have cost nobody knows, and it is in no sum.
    """

    calls: int = 0
    failed_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    unpriced_calls: int = 0
    uncertain_calls: int = 0

    @property
    def answered_calls(self) -> int:
        """Those that did not fail."""
        return self.calls - self.failed_calls

    @property
    def is_priced(self) -> bool:
        """Whether the price of any call is known."""
        return self.answered_calls > self.unpriced_calls

    def plus(self, other: ModelCosts) -> ModelCosts:
        """The sum of both."""
        return ModelCosts(
            self.calls + other.calls,
            self.failed_calls + other.failed_calls,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cost_usd + other.cost_usd,
            self.unpriced_calls + other.unpriced_calls,
            self.uncertain_calls + other.uncertain_calls,
        )


@dataclass(frozen=True, slots=True)
class CostSummary:
    """The totals, and `models`: each model's share by its name."""

    total: ModelCosts
    models: dict[str, ModelCosts]

    @property
    def total_cost(self) -> float:
        """In US dollars; this and the next two are called as in other RLM libraries."""
        return self.total.cost_usd

    @property
    def total_input_tokens(self) -> int:
        """Tokens in."""
        return self.total.input_tokens

    @property
    def total_output_tokens(self) -> int:
        """Tokens out."""
        return self.total.output_tokens

    def __str__(self) -> str:
        total = self.total
        unpriced = f" and {total.unpriced_calls} without a price" if total.unpriced_calls else ""
        failed = f", {total.failed_calls} of them failed" if total.failed_calls else ""
        return (
            f"{total.calls} model calls{failed}, {total.input_tokens:,} tokens in, "
            f"{total.output_tokens:,} out, ${total.cost_usd:.4f}{unpriced}"
        )


class CostRecord:
    """Adds up calls as they end, and has `whole` add them up too."""

    def __init__(self, whole: CostRecord | None = None) -> None:
        self._whole = whole
        self._models: dict[str, ModelCosts] = {}

    def completed(self, model: str, completion: Completion) -> None:
        """Count a call that was answered."""
        priced = completion.cost_usd is not None
        self._add(
            model,
            ModelCosts(
                calls=1,
                input_tokens=completion.input_tokens,
                output_tokens=completion.output_tokens,
                cost_usd=completion.cost_usd or 0.0,
                unpriced_calls=0 if priced else 1,
            ),
        )

    def failed(self, model: str, *, uncertain: bool = False) -> None:
        """Count a call that was not answered; `uncertain` where it may have cost something."""
        self._add(model, ModelCosts(calls=1, failed_calls=1, uncertain_calls=int(uncertain)))

    def summary(self) -> CostSummary:
        """All there is by now."""
        total = ModelCosts()
        for costs in self._models.values():
            total = total.plus(costs)
        return CostSummary(total, dict(self._models))

    def clear(self) -> None:
        """Begin at zero."""
        self._models.clear()

    def _add(self, model: str, costs: ModelCosts) -> None:
        self._models[model] = self._models.get(model, ModelCosts()).plus(costs)
        if self._whole is not None:
            self._whole._add(model, costs)
