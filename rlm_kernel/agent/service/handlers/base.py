"""What the service's handlers work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from rlm_kernel import errors
from rlm_kernel.agent.service.held import HeldBytes
from rlm_kernel.agent.service.metrics import AgentMetrics
from rlm_kernel.agent.service.models import Models
from rlm_kernel.agent.service.question import Questions
from rlm_kernel.agent.service.readiness import Readiness
from rlm_kernel.agent.service.run import Run
from rlm_kernel.agent.service.runs import Runs
from rlm_kernel.http import handler
from rlm_kernel.http.operation import Faults
from rlm_kernel.manager.client import ManagerClient

OF_RUNS: Faults = (
    errors.ModelNotAllowed,
    errors.TooManyRuns,
    errors.NotReady,
    errors.SandboxUnavailable,
    errors.SessionFailed,
    errors.ModelError,
    errors.ModelUnavailable,
    errors.PromptTooLong,
    errors.AnswerMismatch,
    *(
        errors.CostLimitExceeded,
        errors.TokenLimitExceeded,
        errors.CallLimitExceeded,
        errors.TimeLimitExceeded,
        errors.TurnLimitExceeded,
        errors.ErrorLimitExceeded,
    ),
    errors.RunCancelled,
)
"""What a request may be answered with that begins a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services(handler.Reception):
    """Beside what is asked at the door, the runs and what they need."""

    metrics: AgentMetrics
    models: Models
    questions: Questions
    runs: Runs
    readiness: Readiness
    manager: ManagerClient | None
    held: HeldBytes
    metrics_token: str | None
    stream_bytes: int
    chat_context_characters: int

    failure: ClassVar[type[errors.RLMKernelError]] = errors.AgentError


class Handler(handler.Handler):
    """Base of all handlers of the service."""

    services: Services


class RunHandler(Handler):
    """Base of those whose request begins a run, which ends when its client hangs up.

    The body counts as held until the answer is there.
    """

    def initialize(self, services: handler.Reception) -> None:
        super().initialize(services)
        self._hung_up: Callable[[], object] = lambda: None

    def check(self) -> None:
        super().check()
        self.services.runs.refuse_when_full()

    async def take(self, chunk: bytes) -> None:
        try:
            self.services.held.grow(self, len(chunk))
        except errors.TooManyRuns:
            self.body.clear()
            self.services.held.release(self)
            self.services.metrics.run_refused("too_many_bytes")
            raise
        await super().take(chunk)

    def on_finish(self) -> None:
        super().on_finish()
        self.services.held.release(self)

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self.services.held.release(self)
        self._hung_up()

    def end_with_client(self, run: Run) -> None:
        """Have the run end when its client hangs up."""
        self._hung_up = run.cancel
        if self.client_gone:
            run.cancel()
