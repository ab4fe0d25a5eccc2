"""The models that a service asks, by the names that requests choose them by."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from rlm_kernel.agent.models.model import LiteLLMModel, Model
from rlm_kernel.agent.service.local_file import LocalFile
from rlm_kernel.agent.service.local_model import LocalModelKeeper
from rlm_kernel.agent.setting import RunOptions
from rlm_kernel.agent.starting import LOCAL, LOCAL_OPTIONS
from rlm_kernel.errors import ConfigurationError, ModelMissing, ModelNotAllowed, NotReady
from rlm_kernel.settings import ServiceSettings

DEFAULT = "rlm"
"""The name under which clients that must name a model get the default one."""

ANY = "*"


@dataclass(frozen=True, slots=True)
class Choice:
    """The models of one run, and the options that suit the first."""

    model: Model
    recursive_model: Model
    options: RunOptions


def is_local(name: str) -> bool:
    """Whether this is a model of MODEL_PATH: `local`, or `local/NAME` of several."""
    return name == LOCAL or name.startswith(f"{LOCAL}/")


def local_file(settings: ServiceSettings) -> LocalFile | None:
    """The GGUF file that is served, if one is; it need not be there yet.

    Raises ConfigurationError where what is there cannot be served.
    """
    named = [name for name in (settings.model, settings.recursive_model, *settings.models) if name]
    local = {name for name in named if is_local(name)}
    if settings.model_path is None or (settings.model and not local):
        return None
    names = {name.removeprefix(f"{LOCAL}/") for name in local if name != LOCAL}
    if len(names) > 1:
        raise ConfigurationError(f"one local model is served, not {', '.join(sorted(names))}")
    file = LocalFile(settings.model_path, names.pop() if names else None)
    with suppress(ModelMissing):
        file.find()
    return file


class Models:
    """What the settings name, and no other model: a request spends our money, with our keys."""

    def __init__(self, settings: ServiceSettings, local: LocalModelKeeper | None) -> None:
        self._main = settings.model or (LOCAL if settings.model_path else None)
        self._recursive = settings.recursive_model
        self._further = tuple(name for name in settings.models if name != ANY)
        self._any = ANY in settings.models
        self._local = local
        self._made: dict[str, LiteLLMModel] = {}
        if any(map(is_local, self.names)) and local is None:
            raise ConfigurationError(f"the model {LOCAL!r} needs MODEL_PATH")

    @property
    def names(self) -> tuple[str, ...]:
        """Those that a request may choose, the default first."""
        named = (self._main, self._recursive, *self._further)
        return tuple(dict.fromkeys(name for name in named if name))

    @property
    def labels(self) -> set[str]:
        """What these models are called in the counts of a run."""
        hosted = {name for name in self.names if not is_local(name)}
        local = None if self._local is None else self._local.name
        return hosted if local is None else hosted | {local}

    @property
    def default(self) -> str:
        """The default model's name. Raises NotReady where there is none."""
        if self._main is None:
            raise NotReady("there is no model: set RLM_KERNEL_MODEL or MODEL_PATH")
        return self._main

    @property
    def problem(self) -> str | None:
        """Why a run of the default models cannot ask them."""
        if self._local is not None and any(
            name and is_local(name) for name in (self._main, self._recursive)
        ):
            return self._local.problem
        return None

    def choose(self, name: str | None = None, recursive: str | None = None) -> Choice:
        """Raises ModelNotAllowed, and NotReady where a model cannot be asked now."""
        main = self.default if name in (None, DEFAULT) else self._allowed(name)
        own = self._recursive if name in (None, DEFAULT) else None
        below = own or main if recursive in (None, DEFAULT) else self._allowed(recursive)
        options = LOCAL_OPTIONS if is_local(main) else RunOptions()
        return Choice(self._model(main), self._model(below), options)

    def _allowed(self, name: str | None) -> str:
        if name is None or (name not in self.names and (is_local(name) or not self._any)):
            raise ModelNotAllowed(f"model: {str(name)[:100]!r} is none of {', '.join(self.names)}")
        return name

    def _model(self, name: str) -> Model:
        if is_local(name) and self._local is not None:
            return self._local.model()
        if name not in self._made and name in self.names:
            self._made[name] = LiteLLMModel(name)
        return self._made.get(name) or LiteLLMModel(name)
