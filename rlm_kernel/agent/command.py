"""`rlm-kernel run`: one question about files, answered while a person watches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, aclosing, contextmanager
from pathlib import Path

from rlm_kernel.agent.connection_file import connection_file
from rlm_kernel.agent.context import read_context
from rlm_kernel.agent.events import AnswerGiven, SessionOpened
from rlm_kernel.agent.factory import SidecarREPLFactory, create_sidecar_repl_factory
from rlm_kernel.agent.manager_process import ManagerProcess
from rlm_kernel.agent.models import LiteLLMModel, Model
from rlm_kernel.agent.repl import RLM_REPL
from rlm_kernel.agent.setting import RunOptions
from rlm_kernel.agent.steps import StepPrinter
from rlm_kernel.agent.stop_signals import StopSignals
from rlm_kernel.errors import ConfigurationError
from rlm_kernel.progress import progress_for
from rlm_kernel.settings import AgentSettings

LOCAL = "local"
# What a small model with a window of 8,192 tokens can take in and use.
LOCAL_OPTIONS = RunOptions(
    prompts="small",
    output_limit=2_000,
    history_limit=14_000,
    max_output_tokens=1_024,
    parallel_calls=1,
)


def run(
    *,
    context: Sequence[Path],
    query: str,
    model: str | None = None,
    recursive_model: str | None = None,
    max_iterations: int = 20,
    max_depth: int = 1,
    preload: Sequence[str] = (),
) -> int:
    """Answer `query` about the files, the answer on stdout and each step on stderr.

    `model` is a litellm name or `local`, which is the default: the model at MODEL_PATH, else the
    pinned one. Without WASM_MANAGER_SERVICE_URL a manager of our own runs meanwhile, with sessions
    that start with the packages `preload`. Returns the
    exit status: 0, or 130 and 143 for SIGINT and SIGTERM. Raises the RLMKernelError classes.
    """
    text = read_context(context)
    settings = AgentSettings.from_environment()
    with StopSignals() as signals, ExitStack() as stack:
        try:
            factory = stack.enter_context(_sessions(settings, preload))
            main, recursive = stack.enter_context(_models(model, recursive_model, settings))
            options = LOCAL_OPTIONS if model in (None, LOCAL) else RunOptions()
            rlm = RLM_REPL(
                main, recursive, max_iterations, max_depth, repl_factory=factory(), options=options
            )
            print(signals.run(_watch(rlm, text, query)), flush=True)
        except KeyboardInterrupt:
            return signals.exit_status
    return 0


async def _watch(rlm: RLM_REPL, context: object, query: str) -> str:
    """The answer; meanwhile every step is shown, and people are told how to look inside."""
    steps = StepPrinter()
    answer = ""
    with ExitStack() as files:
        async with aclosing(rlm.astream(context, query)) as events:
            async for event in events:
                if isinstance(event, AnswerGiven) and not event.depth:
                    answer = event.text
                    steps.say(str(rlm.cost_summary()))
                steps.show(event)
                if isinstance(event, SessionOpened):
                    file = connection_file(event.session_id, event.connection)
                    path = files.enter_context(file)
                    steps.say(f"to look inside: jupyter console --existing {path}")
    return answer


@contextmanager
def _sessions(
    settings: AgentSettings, preload: Sequence[str]
) -> Iterator[Callable[[], SidecarREPLFactory]]:
    """Where sessions come from; a manager of our own boots while other things start."""
    if "manager_url" in settings.model_fields_set:
        if preload:
            raise ConfigurationError("the manager at WASM_MANAGER_SERVICE_URL does the preloading")
        yield create_sidecar_repl_factory
        return
    with ManagerProcess(preload) as manager:
        yield lambda: SidecarREPLFactory(manager.url, manager.token)


@contextmanager
def _models(
    model: str | None, recursive_model: str | None, settings: AgentSettings
) -> Iterator[tuple[Model, Model]]:
    """The two models. One local model serves as both."""
    names = [model or LOCAL, recursive_model or model or LOCAL]
    with ExitStack() as stack:
        local = stack.enter_context(_local_model(settings)) if LOCAL in names else None
        first, second = (_named(name, local) for name in names)
        yield first, second


def _named(name: str, local: Model | None) -> Model:
    return local if name == LOCAL and local is not None else LiteLLMModel(name)


@contextmanager
def _local_model(settings: AgentSettings) -> Iterator[Model]:
    from rlm_kernel.agent.local import LocalModelServer, find_model
    from rlm_kernel.agent.weights import ensure_model

    path = find_model(settings.model_path) if settings.model_path else ensure_model(progress_for())
    with LocalModelServer.start(path) as server:
        yield server.model()
