"""What a tree of runs may take."""

from __future__ import annotations

from dataclasses import dataclass, fields

from rlm_kernel.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits on the root run, its children and all that they call, together; None is no limit.

    `cost_usd` counts money, `tokens` those in and out, `calls` model calls, failed ones included,
    `seconds` the time from the start of the root run, `turns` those of all runs, `errors` the
    cells and model calls that fail.
    """

    cost_usd: float | None = None
    tokens: int | None = None
    calls: int | None = None
    seconds: float | None = None
    turns: int | None = None
    errors: int | None = None

    def __post_init__(self) -> None:
        for limit in fields(self):
            value = getattr(self, limit.name)
            if value is not None and not value > 0:
                raise ConfigurationError(f"a budget's {limit.name} must be more than 0")
