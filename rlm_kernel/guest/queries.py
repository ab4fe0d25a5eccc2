"""Questions to language models and tasks for other agents, as a session's code asks them."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rlm_kernel.guest.events import current_request
from rlm_kernel.guest.host import HostCall, HostCallError, value_of
from rlm_kernel.guest.sketches import sketch
from rlm_kernel.guest.values import pack

TEXT_MAX = 200_000
"""Characters of a context that a model reads where no agent can be started for it."""

CALL_MAX = 100_000
"""Characters of a context, as JSON, that are sent with the call: more takes long, and may be more
than a call can hold."""

Arguments = dict[str, Any]
AwaitableHostCall = Callable[[str, Arguments], Awaitable[Any]]


class LLMQueryError(Exception):
    """A sub-call that gave no reply. The message says why, and `code` what kind of failure it is:

    `model_failed`, `model_unavailable` (it may answer later), `prompt_too_long`, `fork_failed`,
    `too_many_sessions`, `turn_limit_exceeded` and so on.
    """

    def __init__(self, message: str = "", code: str = "agent_error") -> None:
        super().__init__(message)
        self.code = code


class Queries:
    """The functions for sub-calls; `namespace` is where the model's variables live.

    `recursion` tells whether `rlm_query` starts an agent. Where it does not a model reads the
    context as text.
    """

    def __init__(
        self, namespace: Mapping[str, Any], host_call: HostCall, later: AwaitableHostCall
    ) -> None:
        self._namespace = namespace
        self._host_call = host_call
        self._later = later
        self._keys = itertools.count(1)
        self.recursion = False
        self.handed: dict[str, tuple[str, Any]] = {}
        """Contexts that copies of this session are to find, each with the request it is of."""

    @property
    def offered(self) -> dict[str, Any]:
        """The functions by their names."""
        models = ("llm_query", "llm_query_batched", "allm_query")
        agents = ("rlm_query", "rlm_query_batched", "arlm_query")
        functions = {name: getattr(self, name) for name in (*models, *agents)}
        return {**functions, "LLMQueryError": LLMQueryError}

    def llm_query(self, prompt: str, model: str | None = None) -> str:
        """Ask a language model. It sees `prompt` and nothing else.

        Raises LLMQueryError when there is no reply.
        """
        return str(self._ask("llm_query", _question(prompt, model)))

    def llm_query_batched(
        self, prompts: Iterable[str], model: str | None = None
    ) -> list[str | LLMQueryError]:
        """Ask a language model many prompts at once; the replies come in the same order.

        In the place of a reply that could not be had stands an LLMQueryError that says why.
        """
        if isinstance(prompts, str):
            raise TypeError("llm_query_batched takes a list of prompts; for one, use llm_query")
        listed = [_checked(prompt) for prompt in prompts]
        return self._ask_all("llm_query_batched", {"prompts": listed, "model": model}, len(listed))

    async def allm_query(self, prompt: str, model: str | None = None) -> str:
        """As `llm_query`, to be awaited; many at once with asyncio.gather."""
        return str(await self._ask_later("llm_query", _question(prompt, model)))

    def rlm_query(
        self, task: str, context: Any = None, model: str | None = None, *, fork: bool = False
    ) -> str:
        """Have another agent, with a session of its own, do `task` on `context`; its answer.

        With `fork` its session is a copy of this one: it has all of its variables, and `context`
        may be any object. What it changes stays there. Raises LLMQueryError when there is no
        answer.
        """
        asked = self._task(task, context, model, fork)
        with self._handing([asked]):
            return str(self._ask("rlm_query", asked))

    def rlm_query_batched(
        self,
        tasks: Iterable[str],
        contexts: Iterable[Any] | None = None,
        model: str | None = None,
        *,
        fork: bool = False,
    ) -> list[str | LLMQueryError]:
        """Have many agents work at once, each on one task and the context in the same place.

        The answers come in the same order; in the place of one that could not be had stands an
        LLMQueryError. The rest is as with `rlm_query`.
        """
        if isinstance(tasks, str):
            raise TypeError("rlm_query_batched takes a list of tasks; for one, use rlm_query")
        listed = list(tasks)
        given = [None] * len(listed) if contexts is None else list(contexts)
        if len(given) != len(listed):
            raise ValueError(f"there are {len(listed)} tasks, but {len(given)} contexts")
        pairs = zip(listed, given, strict=True)
        asked = [self._task(task, context, model, fork) for task, context in pairs]
        with self._handing(asked):
            return self._ask_all("rlm_query_batched", {"tasks": asked}, len(asked))

    async def arlm_query(
        self, task: str, context: Any = None, model: str | None = None, *, fork: bool = False
    ) -> str:
        """As `rlm_query`, to be awaited; many at once with asyncio.gather."""
        asked = self._task(task, context, model, fork)
        with self._handing([asked]):
            return str(await self._ask_later("rlm_query", asked))

    def _task(self, task: str, context: Any, model: str | None, fork: bool) -> Arguments:
        """What crosses to the host for one task."""
        asked: Arguments = {"task": _checked(task), "model": model}
        if not self.recursion:
            return asked | _as_text(context)
        if not fork:
            return asked | self._packed(context)
        shown = self._namespace.get("context") if context is None else context
        kind, _, note = sketch(shown).partition(" ")
        asked |= {"handed": "", "kind": kind, "note": note or "an object"}
        if context is not None:
            asked["handed"] = self._hand(context)
        return asked

    def _packed(self, context: Any) -> Arguments:
        """A context for a session of its own; a large one is fetched by way of a copy of this."""
        packed = json.dumps(pack(context), separators=(",", ":"))
        if len(packed) <= CALL_MAX:
            return {"context": json.loads(packed)}
        kind, _, note = sketch(context).partition(" ")
        return {"handed": self._hand(packed), "kind": kind, "note": note, "fork": False}

    def _hand(self, context: Any) -> str:
        """The key under which copies of this session find it.

        What earlier cells left, because they were interrupted, is let go.
        """
        cell, key = current_request.get(), str(next(self._keys))
        self.handed = {each: kept for each, kept in self.handed.items() if kept[0] == cell}
        self.handed[key] = (cell, context)
        return key

    @contextmanager
    def _handing(self, asked: Sequence[Arguments]) -> Iterator[None]:
        """Keeps contexts until the calls have ended, but for a copy: it is interrupted in them."""
        try:
            yield
        except (KeyboardInterrupt, asyncio.CancelledError):
            raise
        except BaseException:
            self._take_back(asked)
            raise
        self._take_back(asked)

    def _take_back(self, asked: Sequence[Arguments]) -> None:
        for each in asked:
            self.handed.pop(each.get("handed", ""), None)

    def _ask(self, name: str, args: Arguments) -> Any:
        try:
            return self._host_call(name, args)
        except HostCallError as error:
            raise _query_error(error) from None

    async def _ask_later(self, name: str, args: Arguments) -> Any:
        try:
            return await self._later(name, args)
        except HostCallError as error:
            raise _query_error(error) from None

    def _ask_all(self, name: str, args: Arguments, count: int) -> list[str | LLMQueryError]:
        outcomes = self._ask(name, args)
        if not isinstance(outcomes, list) or len(outcomes) != count:
            raise LLMQueryError(f"{count} replies were expected, not {outcomes!r:.200}")
        return [_reply_or_error(outcome) for outcome in outcomes]


def _question(prompt: str, model: str | None) -> Arguments:
    return {"prompt": _checked(prompt), "model": model}


def _checked(prompt: object) -> str:
    if not isinstance(prompt, str):
        raise TypeError(f"a prompt must be a str, not {type(prompt).__name__}")
    return prompt


def _as_text(context: Any) -> Arguments:
    """A context as a model can read it: as much of it as it may be sent, and how long it is."""
    if context is None:
        return {}
    text = context if isinstance(context, str) else repr(context)
    return {"text": text[:TEXT_MAX], "length": len(text)}


def _query_error(error: HostCallError) -> LLMQueryError:
    return LLMQueryError(error.evalue, error.code or "agent_error")


def _reply_or_error(outcome: Any) -> str | LLMQueryError:
    try:
        return str(value_of(outcome))
    except HostCallError as error:
        return _query_error(error)
