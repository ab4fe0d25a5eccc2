"""What `RLM.completion` returns: the shape of the official library's result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from rlm_kernel.agent.ledger.costs import CostSummary, ModelCosts


@dataclass(frozen=True, slots=True)
class ModelUsageSummary:
    """The calls of one model that were answered, and what they took.

    `total_cost` is in US dollars: of the calls whose price is known, None where of none it is.
    """

    total_calls: int
    total_input_tokens: int
    total_output_tokens: int
    total_cost: float | None = None

    @classmethod
    def of(cls, costs: ModelCosts) -> Self:
        """One model's share."""
        return cls(
            costs.answered_calls,
            costs.input_tokens,
            costs.output_tokens,
            costs.cost_usd if costs.is_priced else None,
        )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """What `to_dict` was made of."""
        return cls(**data)

    def to_dict(self) -> dict[str, Any]:
        """Plain data; `total_cost` is in it where it is known."""
        return _without_none(asdict(self), "total_cost")


@dataclass(frozen=True, slots=True)
class UsageSummary:
    """What a whole tree of runs took, by the name of the model."""

    model_usage_summaries: dict[str, ModelUsageSummary]

    @classmethod
    def of(cls, costs: CostSummary) -> Self:
        """All models of a summary that answered anything."""
        shares = {name: ModelUsageSummary.of(share) for name, share in costs.models.items()}
        return cls({name: share for name, share in shares.items() if share.total_calls})

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """What `to_dict` was made of."""
        shares = data.get("model_usage_summaries", {})
        return cls({name: ModelUsageSummary.from_dict(share) for name, share in shares.items()})

    @property
    def total_cost(self) -> float | None:
        """In US dollars; None where no price is known."""
        known = [share.total_cost for share in self._shares if share.total_cost is not None]
        return sum(known) if known else None

    @property
    def total_input_tokens(self) -> int:
        """Tokens in."""
        return sum(share.total_input_tokens for share in self._shares)

    @property
    def total_output_tokens(self) -> int:
        """Tokens out."""
        return sum(share.total_output_tokens for share in self._shares)

    def to_dict(self) -> dict[str, Any]:
        """Plain data; `total_cost` is in it where it is known."""
        shares = {name: share.to_dict() for name, share in self.model_usage_summaries.items()}
        whole = {"model_usage_summaries": shares, "total_cost": self.total_cost}
        return _without_none(whole, "total_cost")

    @property
    def _shares(self) -> Iterable[ModelUsageSummary]:
        return self.model_usage_summaries.values()


@dataclass(frozen=True, slots=True)
class RLMChatCompletion:
    """An answer, with what is known of it.

    `prompt` is the context that was given, `response` the answer's text, `execution_time` in
    seconds. `metadata` is the trajectory where there was a logger. `error` is for readers of
    records of single calls: a completion that was returned has none.
    """

    root_model: str
    prompt: Any
    response: str
    usage_summary: UsageSummary
    execution_time: float
    metadata: dict[str, Any] | None = None
    error: str | None = None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """What `to_dict` was made of."""
        return cls(**{**data, "usage_summary": UsageSummary.from_dict(data["usage_summary"])})

    def to_dict(self) -> dict[str, Any]:
        """A dict of the fields; `metadata` and `error` are in it where there are any."""
        whole = {
            "root_model": self.root_model,
            "prompt": self.prompt,
            "response": self.response,
            "usage_summary": self.usage_summary.to_dict(),
            "execution_time": self.execution_time,
            "metadata": self.metadata,
            "error": self.error,
        }
        return _without_none(whole, "metadata", "error")


def _without_none(data: dict[str, Any], *optional: str) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key not in optional or value is not None}
