"""What the service counts. No label holds what a request can make up."""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import TYPE_CHECKING

from rlm_kernel import errors
from rlm_kernel.agent.service.wire import InferAnswer, ModelUsage
from rlm_kernel.http.metrics import HTTPMetrics

if TYPE_CHECKING:
    from rlm_kernel.agent.service.run import Ending

OUTCOMES = ("answered", "forced", "direct", "limited", "model_failed", "failed", "cancelled")
REFUSED = ("too_many", "closing", "too_many_bytes")

_RUN_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)
_TURNS = (1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0, 34.0)


class AgentMetrics(HTTPMetrics):
    """The counts of one service; `models` has the names that may be labels."""

    def __init__(self, models: Callable[[], Set[str]]) -> None:
        super().__init__("rlm_kernel_agent")
        self._models = models
        self._runs = self.counters(
            "runs",
            "Runs that ended: with an answer, a forced one, one of the model alone; at a limit; "
            "by the model's fault or another; cancelled.",
            "outcome",
            OUTCOMES,
        )
        self._refused = self.counters(
            "runs_refused", "Requests for runs that were refused.", "reason", REFUSED
        )
        self._run_seconds = self.histogram("run_seconds", "How long runs took.", (), _RUN_SECONDS)
        self._run_turns = self.histogram("run_turns", "Turns of a run's tree.", (), _TURNS)
        self._calls = self.counter("model_calls", "Calls of models, failed ones too.", ["model"])
        self._failed_calls = self.counter("model_calls_failed", "Calls that failed.", ["model"])
        self._tokens = self.counter(
            "tokens", "Tokens of conversations and of replies.", ["model", "direction"]
        )
        self._cost = self.counter("cost_usd", "Money that calls cost, where known.", ["model"])

    def run_refused(self, reason: str) -> None:
        """`reason` is one of REFUSED."""
        self._refused[reason].inc()

    def run_ended(self, ending: Ending, seconds: float) -> None:
        """Counts a run and all that it took."""
        usage = ending.message.usage
        self._runs[_outcome(ending)].inc()
        self._run_seconds.observe(seconds)
        self._run_turns.observe(usage.turns)
        models = self._models()
        for name, share in usage.models.items():
            self._add(name if name in models else "other", share)

    def _add(self, model: str, share: ModelUsage) -> None:
        self._calls.labels(model).inc(share.calls)
        self._failed_calls.labels(model).inc(share.failed_calls)
        self._tokens.labels(model, "in").inc(share.input_tokens)
        self._tokens.labels(model, "out").inc(share.output_tokens)
        self._cost.labels(model).inc(share.cost_usd)


def _outcome(ending: Ending) -> str:
    match ending.message:
        case InferAnswer() as answer:
            return "direct" if answer.direct else "forced" if answer.forced else "answered"
    match ending.error:
        case errors.RunCancelled():
            return "cancelled"
        case errors.BudgetExceeded():
            return "limited"
        case errors.ModelError():
            return "model_failed"
    return "failed"
