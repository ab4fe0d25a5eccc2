"""The official library's names for models, a backend and its arguments, as models of ours."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rlm_kernel.agent.models.model import LiteLLMModel
from rlm_kernel.errors import ConfigurationError

_COMMON = frozenset({"model_name", "api_key", "base_url", "timeout", "sampling_args"})
_AZURE = frozenset({"azure_endpoint", "api_version", "azure_deployment"})
_SAMPLING = frozenset(
    {
        "extra_body",
        "frequency_penalty",
        "logit_bias",
        "presence_penalty",
        "reasoning_effort",
        "seed",
        "stop",
        "top_p",
    }
)
_LONGEST = ("max_tokens", "max_completion_tokens")
_KEY_VARIABLES = {
    "https://openrouter.ai/api/v1": "OPENROUTER_API_KEY",
    "https://ai-gateway.vercel.sh/v1": "AI_GATEWAY_API_KEY",
    "https://api.pinference.ai/api/v1": "PRIME_API_KEY",
}
"""Where the key of a known address is, for a backend that is otherwise OpenAI's."""


@dataclass(frozen=True, slots=True)
class _Backend:
    """`provider` is litellm's name for it, None where the model's own name begins with that."""

    provider: str | None
    model_name: str | None = None
    key_variable: str | None = None
    more: frozenset[str] = frozenset()
    required: tuple[str, ...] = ()


_BACKENDS = {
    "openai": _Backend("openai"),
    "vllm": _Backend("hosted_vllm", required=("base_url",)),
    "openrouter": _Backend("openrouter"),
    "vercel": _Backend("vercel_ai_gateway", key_variable="AI_GATEWAY_API_KEY"),
    "anthropic": _Backend("anthropic", more=frozenset({"max_tokens"})),
    "azure_openai": _Backend("azure", key_variable="AZURE_OPENAI_API_KEY", more=_AZURE),
    "gemini": _Backend("gemini", model_name="gemini-2.5-flash"),
    "litellm": _Backend(None),
}


def model_of_backend(
    backend: str,
    arguments: Mapping[str, Any] | None,
    sampling: Mapping[str, Any] | None = None,
) -> LiteLLMModel:
    """The model that a backend with these arguments is; `sampling` overrules those among them.

    Its name is the `model_name`, or the deployment at Azure. Keys that are not given are read from
    the variables that the official library reads. Raises ConfigurationError for a backend or an
    argument that is not known: none is left out of account.
    """
    kind, given = _backend(backend), dict(arguments or {})
    _refuse_unknown(f"backend_kwargs of {backend!r}", given, _COMMON | kind.more)
    chosen = {**(given.get("sampling_args") or {}), **(sampling or {})}
    chosen = {name: value for name, value in chosen.items() if value is not None}
    _refuse_unknown("sampling_args", chosen, _SAMPLING | {"temperature", *_LONGEST})
    if backend == "azure_openai":
        given = _with_azure_defaults(given)
    name: Any = given.get("azure_deployment") or given.get("model_name") or kind.model_name
    _require(backend, {**given, "model_name": name}, ("model_name", *kind.required))
    address = given.get("azure_endpoint") or given.get("base_url")
    parameters = {each: chosen[each] for each in sorted(_SAMPLING & chosen.keys())}
    if "api_version" in given:
        parameters["api_version"] = given["api_version"]
    return LiteLLMModel(
        name,
        api_base=address,
        api_key=given.get("api_key") or _key_of_environment(kind, address),
        temperature=chosen.get("temperature"),
        timeout_s=300.0 if given.get("timeout") is None else float(given["timeout"]),
        provider=kind.provider,
        max_output_tokens=_longest_reply(given, chosen),
        parameters=parameters,
    )


def _backend(name: str) -> _Backend:
    if name == "portkey":
        raise ConfigurationError(
            "the backend 'portkey' cannot be used: what is behind it can, by its own backend"
        )
    if name not in _BACKENDS:
        raise ConfigurationError(f"there is no backend {name!r}, but {sorted(_BACKENDS)}")
    return _BACKENDS[name]


def _refuse_unknown(what: str, given: Mapping[str, Any], known: frozenset[str]) -> None:
    unknown = sorted(given.keys() - known)
    if unknown:
        raise ConfigurationError(f"{what}: {unknown} cannot be used, but {sorted(known)} can")


def _require(backend: str, given: Mapping[str, Any], names: tuple[str, ...]) -> None:
    missing = [name for name in names if not given.get(name)]
    if missing:
        raise ConfigurationError(f"the backend {backend!r} needs {missing} in its backend_kwargs")


def _with_azure_defaults(given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments, with what the environment has where they say nothing."""
    defaults = {
        "azure_endpoint": os.environ.get("AZURE_OPENAI_ENDPOINT"),
        "api_version": os.environ.get("AZURE_OPENAI_API_VERSION", "2024-02-01"),
        "azure_deployment": os.environ.get("AZURE_OPENAI_DEPLOYMENT"),
    }
    told = {name: value for name, value in given.items() if value is not None}
    _require("azure_openai", {**defaults, **told}, ("azure_endpoint",))
    return {**defaults, **told}


def _key_of_environment(kind: _Backend, address: str | None) -> str | None:
    """None where litellm knows by itself which variable it is."""
    variable = kind.key_variable
    if kind.provider == "openai" and address is not None:
        variable = _KEY_VARIABLES.get(address.rstrip("/"))
    return os.environ.get(variable) if variable else None


def _longest_reply(given: Mapping[str, Any], chosen: Mapping[str, Any]) -> int | None:
    limits = [chosen.get(name) for name in _LONGEST] + [given.get("max_tokens")]
    return next((int(limit) for limit in limits if limit is not None), None)
