"""Answers items on this machine: with models, and with sessions where an RLM needs them."""

from __future__ import annotations

from dataclasses import dataclass

from rlm_kernel.agent.environment import REPLFactory
from rlm_kernel.agent.evaluation.conditions import Conditions
from rlm_kernel.agent.evaluation.methods import Method, Plain, Recursive
from rlm_kernel.agent.evaluation.plan import Step
from rlm_kernel.agent.evaluation.result import Result
from rlm_kernel.agent.evaluation.trial import evaluate
from rlm_kernel.agent.models.model import Model
from rlm_kernel.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Bench:
    """What all items share. `factory` makes the sessions; it may be None where there is no RLM."""

    model: Model
    recursive_model: Model
    conditions: Conditions
    factory: REPLFactory | None

    async def evaluate(self, step: Step) -> Result:
        """One item in one way. Raises ConfigurationError and ManagerUnavailable only."""
        name, method = step
        return await evaluate(name, method, self._method(method))

    def _method(self, name: str) -> Method:
        if name == "plain":
            return Plain(self.model, self.conditions)
        if self.factory is None:
            raise ConfigurationError("an RLM needs a manager for its sessions")
        return Recursive(self.model, self.recursive_model, self.factory, self.conditions)
