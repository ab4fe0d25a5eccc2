"""Chat models: the small interface the agent talks to, and its implementation over litellm."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal, Protocol

from rlm_kernel.agent.models.faults import model_error
from rlm_kernel.agent.models.revocable import revocable
from rlm_kernel.agent.models.terms import FREE, UNKNOWN, Terms
from rlm_kernel.errors import ModelError

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model answered, and what that took.

    `cost_usd` is None where no price is known. `truncated` says that the model was cut off at its
    output limit, so that `text` may end in mid-sentence.
    """

    text: str
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    truncated: bool = False


class Model(Protocol):
    """A chat model. Implementations may be used by many tasks at once."""

    @property
    def name(self) -> str:
        """How the model is called in reports and logs."""

    async def complete(
        self, messages: Sequence[Message], *, max_output_tokens: int | None = None
    ) -> Completion:
        """Answer the conversation. Called for each turn and each sub-call; may be cancelled.

        Raises ModelError for whatever goes wrong.
        """


@dataclass(frozen=True, slots=True)
class LiteLLMModel:
    """Any model that litellm can reach, called once per `complete`: there are no hidden retries.

    `name` is litellm's (`openai/gpt-5-mini`, `anthropic/...`); `provider` is for a name that does
    not start with one, or that is sent whole though it does. `api_base` and `api_key` default to
    what litellm reads from the environment. A `temperature` the model does not support is left out.
    `timeout_s` bounds a whole call, in seconds. `free` marks a model whose calls cost nothing;
    `pricing` is for one that litellm knows no price of. `max_output_tokens` is the longest reply
    that any call may ask for. `parameters` are more of what litellm's completion takes, `top_p` or
    `seed` for instance.
    """

    name: str
    api_base: str | None = None
    api_key: str | None = field(default=None, repr=False)
    temperature: float | None = None
    timeout_s: float = 300.0
    free: bool = False
    provider: str | None = None
    pricing: Terms | None = None
    max_output_tokens: int | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict, hash=False)

    async def terms(self) -> Terms:
        """What is known of its prices and the length of its replies."""
        known = self.pricing or _known_terms(await _loaded(), self.name, self.provider)
        if self.free and self.pricing is None:
            known = replace(known, input_usd=0.0, output_usd=0.0)
        return replace(known, max_output_tokens=self._longest(known.max_output_tokens))

    async def complete(
        self, messages: Sequence[Message], *, max_output_tokens: int | None = None
    ) -> Completion:
        """Answer the conversation.

        Raises ModelUnavailable where another try may succeed, PromptTooLong, and ModelError for
        whatever else goes wrong.
        """
        litellm = await _loaded()
        try:
            async with asyncio.timeout(self.timeout_s):
                call = litellm.acompletion(**self._request(messages, max_output_tokens))
                response = await revocable(call)
        except TimeoutError as error:
            reason = f"{self.name}: no answer within {self.timeout_s:g} s"
            raise ModelError(reason, may_have_cost=True) from error
        except Exception as error:  # litellm raises its own, openai's, httpx's and ValueError
            raise model_error(error, f"{self.name}: {self._without_key(str(error))}") from error
        return self._completion(litellm, response)

    def _request(self, messages: Sequence[Message], limit: int | None) -> dict[str, Any]:
        return {
            **self.parameters,
            "model": self._name_for_litellm(),
            "custom_llm_provider": self.provider,
            "messages": [{"role": m.role, "content": _sendable(m.content)} for m in messages],
            "api_base": self.api_base,
            "api_key": self.api_key,
            "temperature": self.temperature,
            "max_tokens": self._longest(limit),
            "timeout": self.timeout_s + 1,  # httpx's, per read: ours, for the whole, comes first
            "max_retries": 0,
            "num_retries": 0,
            "drop_params": True,
            # litellm caches clients by the id of the event loop: a connection kept alive would
            # outlive its loop, leak, and be offered to the next loop that gets the same id.
            "extra_headers": {"Connection": "close"},
        }

    def _name_for_litellm(self) -> str:
        """It takes the provider off the beginning of a name, once, also where it is told both."""
        doubled = self.provider is not None and self.name.startswith(f"{self.provider}/")
        return f"{self.provider}/{self.name}" if doubled else self.name

    def _longest(self, limit: int | None) -> int | None:
        """The stricter of a limit and its own, on tokens of a reply."""
        known = [each for each in (limit, self.max_output_tokens) if each is not None]
        return min(known, default=None)

    def _completion(self, litellm: Any, response: Any) -> Completion:
        try:
            choice, usage = response.choices[0], response.usage
            return Completion(
                text=choice.message.content or "",
                input_tokens=int(usage.prompt_tokens),
                output_tokens=int(usage.completion_tokens),
                cost_usd=self._price(litellm, response, usage),
                truncated=choice.finish_reason == "length",
            )
        except (AttributeError, IndexError, TypeError) as error:
            reason = f"{self.name}: an answer of an unknown form: {response!r}"
            raise ModelError(reason, may_have_cost=True) from error

    def _price(self, litellm: Any, response: Any, usage: Any) -> float | None:
        if self.free or self.pricing is not None:
            pricing = self.pricing or FREE
            return pricing.price(int(usage.prompt_tokens), int(usage.completion_tokens))
        worked_out = getattr(response, "_hidden_params", {})
        if "response_cost" in worked_out:  # working it out again takes a millisecond
            cost = worked_out["response_cost"]
            return None if cost is None else float(cost)
        try:
            return float(litellm.completion_cost(completion_response=response, model=self.name))
        except Exception:  # litellm raises a bare Exception for a model without a price
            return None

    def _without_key(self, text: str) -> str:
        return text.replace(self.api_key, "***") if self.api_key else text


def _sendable(text: str) -> str:
    """`text` with a question mark for each half of a pair that stands alone: a model may have
    written it, and no UTF-8 can hold it."""
    return text.encode("utf-8", "replace").decode()


def known_window(name: str) -> int | None:
    """The tokens that the model of this litellm name can take in, where litellm knows."""
    try:
        tokens = _litellm().get_model_info(name)["max_input_tokens"]
    except Exception:  # litellm raises a bare Exception for a model that it does not know
        return None
    return tokens if isinstance(tokens, int) and tokens > 0 else None


@cache
def _known_terms(litellm: Any, name: str, provider: str | None) -> Terms:
    try:
        known = litellm.get_model_info(name, provider)
    except Exception:  # litellm raises a bare Exception for a model it does not know
        return UNKNOWN
    return Terms(
        known.get("input_cost_per_token"),
        known.get("output_cost_per_token"),
        known.get("max_output_tokens"),
    )


async def _loaded() -> Any:
    """litellm, whose import does not hold the event loop up."""
    if _litellm.cache_info().currsize:
        return _litellm()
    return await asyncio.to_thread(_litellm)


@cache
def _litellm() -> Any:
    """litellm, imported on first use because that takes seconds."""
    # Without this, the import itself fetches a price list from the network.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import litellm

    litellm.suppress_debug_info = True  # it would print advice to stdout
    litellm.disable_aiohttp_transport = True  # its sessions are never closed
    if "LITELLM_LOG" not in os.environ:
        logging.getLogger("LiteLLM").setLevel(logging.ERROR)
    return litellm


def preload_litellm() -> None:
    """Import litellm now: it takes seconds, which else the first call does."""
    _litellm()
