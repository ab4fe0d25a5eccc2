"""What all runs of one tree share: models, limits, sessions, and where events go."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from rlm_kernel.agent.budget import Budget
from rlm_kernel.agent.costs import CostRecord
from rlm_kernel.agent.environment import REPLFactory
from rlm_kernel.agent.events import Event
from rlm_kernel.agent.models import Completion, Message, Model
from rlm_kernel.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How far a run may go, and how it speaks to its model.

    `max_iterations`: turns of the model before it is made to answer. `max_depth`: 0, the model
    works alone; 1, its code may ask models; from 2, its code may start runs that are one less deep.
    `cell_timeout_s`: seconds that one block of code may take, its sub-calls included.
    `output_limit`: characters of a block's output that the model sees. `history_limit`: characters
    of the conversation beyond which the oldest turns are left out. `parallel_calls`: model calls of
    the whole tree at one time. `prompts`: wordings for large or for small models. `budget`: what
    the whole tree may take.
    """

    max_iterations: int = 20
    max_depth: int = 1
    cell_timeout_s: float = 300.0
    output_limit: int = 20_000
    history_limit: int = 400_000
    max_output_tokens: int | None = None
    parallel_calls: int = 64
    prompts: Literal["large", "small"] = "large"
    budget: Budget = field(default_factory=Budget)

    def __post_init__(self) -> None:
        least = {"max_iterations": 1, "max_depth": 0, "output_limit": 100, "parallel_calls": 1}
        for name, minimum in least.items():
            if getattr(self, name) < minimum:
                raise ConfigurationError(f"{name} must be at least {minimum}")
        if not self.cell_timeout_s > 0:
            raise ConfigurationError("cell_timeout_s must be more than 0")


@dataclass(frozen=True, slots=True)
class Setting:
    """One tree of runs. Made inside the event loop that the runs use."""

    model: Model
    recursive_model: Model
    options: RunOptions
    factory: REPLFactory
    costs: CostRecord
    emit: Callable[[Event], None]
    _slots: asyncio.Semaphore = field(init=False)
    _numbers: itertools.count[int] = field(init=False, default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        object.__setattr__(self, "_slots", asyncio.Semaphore(self.options.parallel_calls))

    def next_call(self) -> int:
        """A number for a sub-call, unique in the tree."""
        return next(self._numbers)

    async def complete(self, model: Model, messages: Sequence[Message]) -> Completion:
        """Call a model when it is its turn, and count the call. Raises ModelError."""
        async with self._slots:
            try:
                completion = await model.complete(
                    messages, max_output_tokens=self.options.max_output_tokens
                )
            except BaseException:
                self.costs.failed(model.name)
                raise
        self.costs.completed(model.name, completion)
        return completion
