"""What a command starts before it can run anything: sessions to work in, and models to ask."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from rlm_kernel.agent.factory import SidecarREPLFactory, create_sidecar_repl_factory
from rlm_kernel.agent.manager_process import ManagerProcess
from rlm_kernel.agent.models.model import LiteLLMModel, Model
from rlm_kernel.agent.setting import RunOptions
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


def options_for(model: str | None) -> RunOptions:
    """How to speak to the model of this name."""
    return LOCAL_OPTIONS if model in (None, LOCAL) else RunOptions()


@contextmanager
def started_sessions(
    settings: AgentSettings, preload: Sequence[str] = ()
) -> Iterator[Callable[[], SidecarREPLFactory]]:
    """Where sessions come from: the manager that `settings` names, else one of our own.

    Ours boots while other things start; its sessions start with the packages `preload`, which a
    manager of others does not take: ConfigurationError.
    """
    if "manager_url" in settings.model_fields_set:
        if preload:
            raise ConfigurationError("the manager at WASM_MANAGER_SERVICE_URL does the preloading")
        yield create_sidecar_repl_factory
        return
    with ManagerProcess(preload) as manager:
        yield lambda: SidecarREPLFactory(manager.url, manager.token)


@contextmanager
def started_models(
    model: str | None,
    recursive_model: str | None,
    settings: AgentSettings,
    *,
    window: int | None = None,
) -> Iterator[tuple[Model, Model]]:
    """The two models by their names. One local model serves as both; `window` is its, in tokens."""
    names = [model or LOCAL, recursive_model or model or LOCAL]
    with ExitStack() as stack:
        local = stack.enter_context(_local_model(settings, window)) if LOCAL in names else None
        first, second = (_named(name, local) for name in names)
        yield first, second


def _named(name: str, local: Model | None) -> Model:
    return local if name == LOCAL and local is not None else LiteLLMModel(name)


@contextmanager
def _local_model(settings: AgentSettings, window: int | None) -> Iterator[Model]:
    from rlm_kernel.agent.models.local import LocalModelServer, LocalModelSettings, find_model
    from rlm_kernel.agent.models.weights import ensure_model

    path = find_model(settings.model_path) if settings.model_path else ensure_model(progress_for())
    serving = LocalModelSettings() if window is None else LocalModelSettings(n_ctx=window)
    with LocalModelServer.start(path, serving) as server:
        yield server.model()
