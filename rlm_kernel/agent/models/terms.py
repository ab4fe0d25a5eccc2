"""What a model asks for its calls, and how much it may say in one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Terms:
    """Prices in US dollars per token, and the longest reply in tokens; None is unknown."""

    input_usd: float | None = None
    output_usd: float | None = None
    max_output_tokens: int | None = None

    def price(self, input_tokens: int, output_tokens: int) -> float | None:
        """What a call costs in US dollars; None where it is unknown."""
        if self.input_usd is None or self.output_usd is None:
            return None
        return input_tokens * self.input_usd + output_tokens * self.output_usd


UNKNOWN = Terms()
FREE = Terms(0.0, 0.0)


@runtime_checkable
class HasTerms(Protocol):
    """A `Model` that can tell its terms. One that cannot must do without a limit on money."""

    async def terms(self) -> Terms:
        """Its terms as far as they are known. Called before each call."""


async def terms_of(model: object) -> Terms:
    """The terms of a model; all unknown where it cannot tell."""
    return await model.terms() if isinstance(model, HasTerms) else UNKNOWN
