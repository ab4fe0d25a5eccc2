"""`rlm-kernel eval`: a model measured with and without RLM, on generated items."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from rlm_kernel.agent.environment import REPLFactory
from rlm_kernel.agent.evaluation.bench import Bench
from rlm_kernel.agent.evaluation.conditions import Conditions
from rlm_kernel.agent.evaluation.plan import Plan, Step
from rlm_kernel.agent.evaluation.report import progress_line, write_report
from rlm_kernel.agent.evaluation.result import Result, key_of
from rlm_kernel.agent.evaluation.results_file import ResultsFile
from rlm_kernel.agent.evaluation.runner import Evaluate, run_steps
from rlm_kernel.agent.evaluation.window import window_for
from rlm_kernel.agent.ledger.budget import Budget
from rlm_kernel.agent.models.model import Model
from rlm_kernel.agent.starting import LOCAL, options_for, started_models, started_sessions
from rlm_kernel.agent.stop_signals import StopSignals
from rlm_kernel.errors import ConfigurationError
from rlm_kernel.settings import AgentSettings


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be evaluated, and how.

    `model` and `recursive_model` are litellm names or `local`. `window` is the model's, in tokens,
    where it is not known. Results are kept in `out`; where there are some already under the same
    conditions, `resume` goes on with them, and `retry_errors` tries again what failed. `parallel`
    items are under way at once, on the machines of a Ray cluster where `ray` gives its address.
    """

    plan: Plan
    out: Path
    model: str | None = None
    recursive_model: str | None = None
    window: int | None = None
    max_iterations: int = 20
    max_depth: int = 1
    budget: Budget = field(default_factory=Budget)
    parallel: int = 1
    resume: bool = False
    retry_errors: bool = False
    ray: str | None = None

    def __post_init__(self) -> None:
        if self.parallel < 1:
            raise ConfigurationError("at least one item must be evaluated at a time")
        names = (self.model or LOCAL, self.recursive_model or self.model or LOCAL)
        if self.ray not in (None, LOCAL) and LOCAL in names:
            raise ConfigurationError("the local model is out of the cluster's reach: name another")


def evaluate_model(request: Request) -> int:
    """Evaluate, with a line per result on stderr; the table goes to stdout and into files.

    Without WASM_MANAGER_SERVICE_URL a manager of our own runs meanwhile. Returns the exit status:
    0, or 130 and 143 for SIGINT and SIGTERM, after which `resume` goes on. Raises the
    RLMKernelError classes.
    """
    settings = AgentSettings.from_environment()
    with StopSignals() as signals, ExitStack() as stack:
        try:
            window = window_for(request.model, request.window, plain=_is_plain(request))
            models = stack.enter_context(
                started_models(request.model, request.recursive_model, settings, window=window)
            )
            conditions = _conditions(request, models, window)
            stem = request.out / conditions.file_stem
            path = stem.with_name(f"{stem.name}.jsonl")
            file = stack.enter_context(ResultsFile(path, conditions))
            steps = _left(request, file)
            _say(f"results: {path}")
            if steps:
                with _evaluator(request, settings, models, conditions, steps) as evaluate:
                    keep = _Keeper(file, len(steps))
                    signals.run(run_steps(steps, evaluate, keep, parallel=request.parallel))
            print(write_report(_chosen(request, file), conditions, stem), end="", flush=True)
        except KeyboardInterrupt:
            _say("stopped: --resume goes on from here")
            return signals.exit_status
    return 0


def _is_plain(request: Request) -> bool:
    return "plain" in request.plan.methods


def _conditions(request: Request, models: tuple[Model, Model], window: int | None) -> Conditions:
    options = replace(
        options_for(request.model),
        max_iterations=request.max_iterations,
        max_depth=request.max_depth,
        budget=request.budget,
    )
    names = [model.name for model in models]
    return Conditions(names[0], names[1], request.plan.seed, window, options)


def _left(request: Request, file: ResultsFile) -> list[Step]:
    """What the file has no result for. Raises ConfigurationError where nobody said to resume."""
    steps = list(request.plan.steps())
    known = {step: file.results.get(key_of(*step)) for step in steps}
    if any(known.values()) and not (request.resume or request.retry_errors):
        raise ConfigurationError(
            f"{file.path} has results of this already: --resume goes on with them"
        )
    return [
        step
        for step, result in known.items()
        if result is None or (request.retry_errors and result.error is not None)
    ]


def _chosen(request: Request, file: ResultsFile) -> list[Result]:
    """The results of this plan: the file may have those of larger ones too."""
    keys = (key_of(*step) for step in request.plan.steps())
    return [file.results[key] for key in keys if key in file.results]


@dataclass(slots=True)
class _Keeper:
    file: ResultsFile
    total: int
    done: int = 0

    def __call__(self, result: Result) -> None:
        self.file.add(result)
        self.done += 1
        _say(progress_line(result, self.done, self.total))


@contextmanager
def _evaluator(
    request: Request,
    settings: AgentSettings,
    models: tuple[Model, Model],
    conditions: Conditions,
    steps: list[Step],
) -> Iterator[Evaluate]:
    with ExitStack() as stack:
        if request.ray is not None:
            from rlm_kernel.agent.evaluation.ray_pool import RayPool, RemoteJob

            job = RemoteJob(*models, conditions, _manager_of(settings))
            yield stack.enter_context(RayPool(request.ray, job)).evaluate
            return
        factory: REPLFactory | None = None
        if any(method == "rlm" for _, method in steps):
            factory = stack.enter_context(started_sessions(settings))()
        yield Bench(*models, conditions, factory).evaluate


def _manager_of(settings: AgentSettings) -> tuple[str, str | None] | None:
    """The address and token that other machines are told; None has them start their own."""
    if "manager_url" not in settings.model_fields_set:
        return None
    return settings.manager_url, settings.token.get_secret_value() if settings.token else None


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
