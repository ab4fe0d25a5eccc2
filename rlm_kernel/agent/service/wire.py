"""The JSON that crosses the service's HTTP interface."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field, StrictStr

from rlm_kernel.agent.ledger.budget import Budget
from rlm_kernel.agent.ledger.usage import Usage
from rlm_kernel.http.messages import FaultBody, Wire


class BudgetRequest(Wire):
    """Limits on a whole run: money, tokens, model calls, seconds, turns, failures.

    What is not given is what the service is set up with; more than that cannot be had.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cost_usd: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    tokens: int | None = Field(default=None, gt=0)
    calls: int | None = Field(default=None, gt=0)
    seconds: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    turns: int | None = Field(default=None, gt=0)
    errors: int | None = Field(default=None, gt=0)

    def within(self, most: Budget) -> Budget:
        """The smaller of both, limit by limit."""
        return Budget(**{name: _smaller(value, getattr(most, name)) for name, value in self})


def _smaller(asked: Any, most: Any) -> Any:
    return min((limit for limit in (asked, most) if limit is not None), default=None)


class InferRequest(Wire):
    """Body of `POST /infer`: a question about a context.

    `context` is a string or any other JSON. `model` and `recursive_model` are of those that the
    service lists. `direct` says whether the model answers by itself, without a session: that is
    for the service to decide where it is null. `answer_schema` is a JSON schema for the answer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    query: StrictStr = Field(min_length=1)
    context: Any = ""
    model: StrictStr | None = None
    recursive_model: StrictStr | None = None
    max_iterations: int | None = Field(default=None, ge=1)
    max_depth: int | None = Field(default=None, ge=0)
    budget: BudgetRequest = BudgetRequest()
    direct: bool | None = None
    answer_schema: dict[str, Any] | None = None


class ModelUsage(Wire):
    """What the calls of one model took; `unpriced_calls` have no known price."""

    calls: int = 0
    failed_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    unpriced_calls: int = 0


class RunUsage(ModelUsage):
    """What a whole tree of runs took, in all and by model."""

    turns: int = 0
    errors: int = 0
    seconds: float = 0.0
    models: dict[str, ModelUsage] = Field(default_factory=dict)

    @classmethod
    def of(cls, usage: Usage) -> RunUsage:
        return cls.model_validate(usage.as_dict())


class InferAnswer(Wire):
    """Answer to `POST /infer`.

    `value` is the answer as the type that was asked for, else its text. `source` is how the model
    gave it; `forced` says that it was made to, out of turns. `direct` says that there was no
    session. `GET /runs/{run_id}` has the whole run.
    """

    run_id: str
    answer: str
    value: Any = None
    source: Literal["FINAL", "FINAL_VAR", "answer", "text", "forced", "direct"]
    turns: int
    forced: bool
    direct: bool
    model: str
    usage: RunUsage
    duration_ms: float


class RunFault(FaultBody):
    """Answer to `POST /infer` where the run began and gave no answer.

    `partial_answer` is the best there was by then.
    """

    run_id: str
    partial_answer: str | None = None
    usage: RunUsage


class Health(Wire):
    """Answer to `GET /health`: the service is alive, whatever it works with is or not."""

    status: Literal["alive"] = "alive"
    version: str
    runs: int


class Readiness(Wire):
    """Answer to `GET /ready`: the manager ran a cell just now, and there is a model."""

    status: Literal["ready"] = "ready"
    model: str


class ModelEntry(Wire):
    """A model that requests may choose."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "rlm-kernel"


class ModelList(Wire):
    """Answer to `GET /v1/models`; the first is the one that is asked by default."""

    object: Literal["list"] = "list"
    data: list[ModelEntry]


class RunSummary(Wire):
    """A run that goes on or is kept. `status` says how it ended, if it has."""

    run_id: str
    status: Literal["running", "answered", "failed", "cancelled"]
    created_at: float
    query: str
    model: str


class RunDetails(RunSummary):
    """A run with its steps, each the `event` and its `data` as the stream of `POST /infer` has.

    `dropped` steps, of the middle, were too many to keep.
    """

    steps: list[dict[str, Any]]
    dropped: int
    answer: InferAnswer | None = None
    fault: RunFault | None = None


class RunList(Wire):
    """Answer to `GET /runs`, the latest first."""

    runs: list[RunSummary]
