"""What a tree of runs has taken by now."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from rlm_kernel.agent.ledger.costs import CostSummary, ModelCosts


@dataclass(frozen=True, slots=True)
class Usage:
    """The root run, its children and all that they called, together.

    `costs` counts the model calls, `turns` those of all runs, `errors` the cells and model calls
    that failed; `seconds` is the time since the root run began.
    """

    costs: CostSummary = field(default_factory=lambda: CostSummary(ModelCosts(), {}))
    turns: int = 0
    errors: int = 0
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Plain data: the totals, and under `models` each model's share."""
        models = {name: asdict(share) for name, share in self.costs.models.items()}
        own = {"turns": self.turns, "errors": self.errors, "seconds": round(self.seconds, 3)}
        return {**asdict(self.costs.total), **own, "models": models}
