"""The functions of the host that a session's code can call: models, and child runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from rlm_kernel.agent.context import ContextFile, handed_context, packed_json
from rlm_kernel.agent.environment import HostCallFailedError
from rlm_kernel.agent.events import SubCallFinished, SubCallStarted
from rlm_kernel.agent.models.model import Completion, Message, Model
from rlm_kernel.agent.prompts import plain_task
from rlm_kernel.agent.setting import Setting
from rlm_kernel.errors import ModelError, RLMKernelError
from rlm_kernel.guest import gathering
from rlm_kernel.guest.queries import TEXT_MAX


@dataclass(frozen=True, slots=True)
class Delegation:
    """A task for a child run called `run`; with `fork` in a copy of the session that asks.

    Without it a context that is `handed` must be fetched from there.
    """

    run: str
    model: Model
    task: str
    context: ContextFile
    fork: bool


ChildRun = Callable[[Delegation], Awaitable[str]]
Outcome = dict[str, Any]
Reply = tuple[str, Completion | None]
"""A reply to code, and what the one call took that gave it."""


class HostFunctions:
    """Answers the host calls of one run. `child_run` is None where the run may have no children."""

    def __init__(
        self, run: str, setting: Setting, *, sub_calls: bool, child_run: ChildRun | None
    ) -> None:
        self._run = run
        self._sub_calls = sub_calls
        self._setting = setting
        self._child_run = child_run
        self._children = 0

    async def __call__(self, name: str, args: dict[str, Any]) -> Any:
        """The value of the call, as JSON can hold it. Raises HostCallFailedError.

        Those of a batch are made at once, and fail each by itself.
        """
        match name if self._sub_calls else "", args:
            case "llm_query", {"prompt": str(prompt), "model": (str() | None) as model}:
                return await self._query(name, prompt, self._model(model))
            case "llm_query_batched", {"prompts": list(prompts), "model": (str() | None) as model}:
                asked = self._model(model)  # a wrong name is one error, not one for each prompt
                return await _outcomes(self._query(name, str(each), asked) for each in prompts)
            case "rlm_query", {"task": str()}:
                return await self._delegate(name, args)
            case "rlm_query_batched", {"tasks": list(tasks)}:
                return await _outcomes(self._delegate(name, each) for each in tasks)
            case gathering.TOGETHER, {"calls": list(calls)}:
                return await _outcomes(self._one_of_many(call) for call in calls)
        raise _not_available(name, args)

    async def summarise(self, model: Model, prompt: str) -> str:
        """The model's reply to a question of the run's own. Raises as `Setting.complete` does."""
        return await self._completed("summarise", prompt, model)

    async def _one_of_many(self, call: Any) -> Any:
        match call:
            case {"name": str(name), "args": dict(args)} if name != gathering.TOGETHER:
                return await self(name, args)
        raise _not_available(gathering.TOGETHER, {})

    async def _query(self, function: str, prompt: str, model: Model) -> str:
        return await self._for_code(self._completed(function, prompt, model))

    async def _completed(self, function: str, prompt: str, model: Model) -> str:
        async def ask() -> Reply:
            messages = [Message("user", prompt)]
            completion = await self._setting.complete(self._run, model, messages)
            return completion.text, completion

        return await self._reported(function, model.name, prompt, ask)

    async def _delegate(self, function: str, args: Any) -> str:
        match args, self._child_run:
            case {"task": str(task), "handed": str(key), "kind": str(kind), "note": str(note)}, run:
                context, fork = handed_context(key, kind, note), args.get("fork") is not False
            case {"task": str(task), "context": given}, run:
                context, fork = packed_json(given), False
            case {"task": str(task)}, _:
                prompt = plain_task(task, *_text_in(args))
                return await self._query(function, prompt, self._model(args.get("model")))
            case _:
                raise _not_available(function, {})
        if run is None:
            raise _not_available(function, args)
        self._children += 1
        name = f"{self._run}.{self._children}"
        return await self._start(
            function, run, Delegation(name, self._model(args.get("model")), task, context, fork)
        )

    async def _start(self, function: str, child_run: ChildRun, delegation: Delegation) -> str:
        async def ask() -> Reply:
            return await child_run(delegation), None

        model, task, child = delegation.model.name, delegation.task, delegation.run
        return await self._for_code(self._reported(function, model, task, ask, child), child)

    def _model(self, name: object) -> Model:
        """Only models of the run: a document must not choose on whom its reader spends money."""
        if name is None:
            return self._setting.recursive_model
        for model in (self._setting.recursive_model, self._setting.model):
            if model.name == name:
                return model
        known = sorted({self._setting.recursive_model.name, self._setting.model.name})
        reason = f"model={name!r}: the models here are {known}"
        raise HostCallFailedError("UnknownModel", reason, "unknown_model")

    async def _reported(
        self,
        function: str,
        model: str,
        prompt: str,
        ask: Callable[[], Awaitable[Reply]],
        child: str | None = None,
    ) -> str:
        call, started = self._setting.next_call(), time.monotonic()
        self._setting.emit(SubCallStarted(self._run, call, function, model, prompt, child))
        reply: str | None = None
        failure: str | None = "cancelled"
        took: Completion | None = None
        try:
            reply, took = await ask()
            failure = None
        except RLMKernelError as error:
            failure = _reason(error, child)
            raise
        finally:
            duration = time.monotonic() - started
            ended = SubCallFinished(self._run, call, reply, failure, duration, *_amounts(took))
            self._setting.emit(ended)
        return reply

    async def _for_code(self, reply: Awaitable[str], child: str | None = None) -> str:
        """The reply that code of the session waits for. Raises HostCallFailedError."""
        try:
            return await reply
        except RLMKernelError as error:
            await self._end_with_tree()
            reason = _reason(error, child)
            raise HostCallFailedError(type(error).__name__, reason, error.code) from error

    async def _end_with_tree(self) -> None:
        """Where the whole tree ends, wait for that: code must not go on with an error instead."""
        if self._setting.root.reason is not None:
            await asyncio.get_running_loop().create_future()


def _amounts(took: Completion | None) -> tuple[int | None, int | None, float | None]:
    if took is None:
        return None, None, None
    return took.input_tokens, took.output_tokens, took.cost_usd


def _reason(error: RLMKernelError, child: str | None) -> str:
    if child is None or isinstance(error, ModelError):
        return str(error)
    return f"the child run failed: {error}"


async def _outcomes(calls: Iterable[Awaitable[Any]]) -> list[Outcome]:
    return await asyncio.gather(*(_outcome(call) for call in calls))


async def _outcome(call: Awaitable[Any]) -> Outcome:
    try:
        return {"ok": await call}
    except HostCallFailedError as failure:
        return {"error": failure.as_dict()}


def _text_in(args: dict[str, Any]) -> tuple[str | None, int]:
    """The context as text where the session has made it one, and how long it was."""
    text, length = args.get("text"), args.get("length")
    if not isinstance(text, str):
        return None, 0
    return text[:TEXT_MAX], length if isinstance(length, int) else len(text)


def _not_available(name: str, args: dict[str, Any]) -> HostCallFailedError:
    reason = f"there is no function {name} with {set(args)}"
    return HostCallFailedError("NotAvailable", reason, "not_available")
