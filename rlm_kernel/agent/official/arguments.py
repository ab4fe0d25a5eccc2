"""What arguments of the official library's `RLM` mean to an `RLM_REPL`.

Each function raises ConfigurationError for what cannot be honoured.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rlm_kernel.agent.models.model import LiteLLMModel, known_window
from rlm_kernel.agent.official.backends import model_of_backend
from rlm_kernel.errors import ConfigurationError

ENVIRONMENTS = ("local", "ipython", "docker", "modal", "prime", "daytona", "e2b")
ASSUMED_WINDOW = 128_000
"""Tokens that a model can take in of which nobody has said how many."""

_CHARACTERS_PER_TOKEN = 4


def levels_below(depth: int, max_depth: int) -> int:
    """How many levels of calls there may be below a run at `depth`."""
    if depth < 0 or max_depth < 0:
        raise ConfigurationError("depth and max_depth must be at least 0")
    return max(0, max_depth - depth)


def check_environment(environment: str, arguments: Mapping[str, Any] | None) -> None:
    """Any that the official library knows; none has arguments here."""
    if environment not in ENVIRONMENTS:
        raise ConfigurationError(f"there is no environment {environment!r}, but {ENVIRONMENTS}")
    if arguments:
        raise ConfigurationError(
            f"environment_kwargs: {sorted(arguments)} cannot be used, since the code runs in a "
            "session of the manager in any environment"
        )


def check_sub_tools(
    tools: Mapping[str, Any] | None, sub_tools: Mapping[str, Any] | None, levels: int
) -> None:
    """Tools of child runs are those of their parents, which only matters where there are any."""
    has_children = levels > 1
    if has_children and sub_tools is not None and dict(sub_tools) != dict(tools or {}):
        raise ConfigurationError(
            "custom_sub_tools cannot differ from custom_tools: child runs have these too"
        )


def check_wording(own: str | None, *, orchestrator: bool) -> None:
    """Our own wording has advice in it that the official library can leave out of its own."""
    if not own and not orchestrator:
        raise ConfigurationError(
            "orchestrator=False needs a custom_system_prompt: our own tells the model to delegate"
        )


def check_errors(max_errors: int | None) -> None:
    """A number of turns in a row."""
    if max_errors is not None and max_errors < 1:
        raise ConfigurationError("max_errors must be at least 1")


def models_of(
    backend: tuple[str, Mapping[str, Any] | None],
    others: tuple[Sequence[str] | None, Sequence[Mapping[str, Any]] | None],
    sampling: Mapping[str, Any] | None,
    sub_sampling: Mapping[str, Any] | None,
) -> tuple[LiteLLMModel, LiteLLMModel]:
    """The model of the root run, and the one of what code asks: the same where none is named."""
    model = model_of_backend(*backend, sampling)
    names, arguments = others
    if names is None:
        both = {**(sampling or {}), **(sub_sampling or {})}
        return model, model_of_backend(*backend, both) if sub_sampling else model
    if len(names) != 1 or arguments is None or len(arguments) != 1:
        raise ConfigurationError(
            "other_backends must name one backend, and other_backend_kwargs have its arguments"
        )
    return model, model_of_backend(names[0], arguments[0], sub_sampling)


def system_prompt_of(own: str | None) -> str | None:
    """The user's own, with the tools' place in it empty: they are described after it."""
    if not own:
        return None
    try:
        return own.format(custom_tools_section="")
    except (LookupError, ValueError, AttributeError):  # braces that are just braces
        return own


def compaction_of(model: LiteLLMModel, share: float) -> dict[str, Any]:
    """What RunOptions say where old turns are summed up at a share of what the model can read."""
    if not 0 < share <= 1:
        raise ConfigurationError("compaction_threshold_pct must be more than 0 and at most 1")
    name = f"{model.provider}/{model.name}" if model.provider else model.name
    window = known_window(name) or known_window(model.name) or ASSUMED_WINDOW
    limit = int(share * window * _CHARACTERS_PER_TOKEN)
    return {"compaction": "summarise", "history_limit": limit}


def tools_of(given: Mapping[str, Any] | None) -> dict[str, Callable[..., Any]]:
    """The functions by name; each entry is one, or a dict of a `tool` and its `description`."""
    return {name: _tool(name, entry) for name, entry in (given or {}).items()}


def _tool(name: str, entry: Any) -> Callable[..., Any]:
    """The function, told of in the words of its entry where this has any."""
    is_described = isinstance(entry, dict) and "tool" in entry
    function = entry["tool"] if is_described else entry
    if not callable(function):
        raise ConfigurationError(
            f"the custom tool {name!r} is data, and sessions are given functions alone: have a "
            "function return it, or put it into the prompt"
        )
    description = entry.get("description") if is_described else None
    return _described(function, description) if isinstance(description, str) else function


def _described(function: Callable[..., Any], description: str) -> Callable[..., Any]:
    @functools.wraps(function)
    def described(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    described.__doc__ = description
    return described
