"""The functions of the host that a session's code can call: models, and child runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from rlm_kernel.agent.context import ContextFile, packed_json
from rlm_kernel.agent.environment import HostCallFailedError
from rlm_kernel.agent.events import SubCallFinished, SubCallStarted
from rlm_kernel.agent.models import Message, Model
from rlm_kernel.agent.setting import Setting
from rlm_kernel.errors import ModelError, RLMKernelError

ChildRun = Callable[[ContextFile, str], Awaitable[str]]


class HostFunctions:
    """Answers the host calls of one run. `child_run` is None where the run may have no children."""

    def __init__(
        self, run: str, setting: Setting, *, sub_calls: bool, child_run: ChildRun | None
    ) -> None:
        self._run = run
        self._sub_calls = sub_calls
        self._setting = setting
        self._child_run = child_run

    async def __call__(self, name: str, args: dict[str, Any]) -> Any:
        """The value of the call, as JSON can hold it. Raises HostCallFailedError."""
        match name if self._sub_calls else "", args:
            case "llm_query", {"prompt": str(prompt), "model": (str() | None) as model}:
                return await self._query(name, prompt, model)
            case "llm_query_batched", {"prompts": list(prompts), "model": (str() | None) as model}:
                return await self._query_all([str(prompt) for prompt in prompts], model)
            case "rlm_query", {"task": str(task), "context": context} if self._child_run:
                return await self._delegate(self._child_run, task, context)
        raise HostCallFailedError("NotAvailable", f"there is no function {name} with {set(args)}")

    async def summarise(self, model: Model, prompt: str) -> str:
        """The model's reply to a question of the run's own. Raises ModelError."""
        try:
            return await self._ask_model("summarise", model, prompt)
        except HostCallFailedError as failure:
            raise ModelError(failure.evalue) from failure

    async def _query(self, function: str, prompt: str, model_name: str | None) -> str:
        return await self._ask_model(function, self._model(model_name), prompt)

    async def _ask_model(self, function: str, model: Model, prompt: str) -> str:
        async def ask() -> str:
            reply = await self._setting.complete(self._run, model, [Message("user", prompt)])
            return reply.text

        return await self._reported(function, model.name, prompt, ask)

    async def _query_all(self, prompts: list[str], model_name: str | None) -> list[dict[str, str]]:
        self._model(model_name)  # a wrong name is one error, not one for each prompt
        return await asyncio.gather(*(self._item(prompt, model_name) for prompt in prompts))

    async def _item(self, prompt: str, model_name: str | None) -> dict[str, str]:
        try:
            return {"ok": await self._query("llm_query_batched", prompt, model_name)}
        except HostCallFailedError as failure:
            return {"error": failure.evalue}

    async def _delegate(self, child_run: ChildRun, task: str, context: Any) -> str:
        async def ask() -> str:
            return await child_run(packed_json(context), task)

        return await self._reported("rlm_query", self._setting.recursive_model.name, task, ask)

    def _model(self, name: str | None) -> Model:
        """Only models of the run: a document must not choose on whom its reader spends money."""
        if name is None:
            return self._setting.recursive_model
        for model in (self._setting.recursive_model, self._setting.model):
            if model.name == name:
                return model
        known = sorted({self._setting.recursive_model.name, self._setting.model.name})
        raise HostCallFailedError("UnknownModel", f"model={name!r}: the models here are {known}")

    async def _reported(
        self, function: str, model: str, prompt: str, ask: Callable[[], Awaitable[str]]
    ) -> str:
        call, started = self._setting.next_call(), time.monotonic()
        self._setting.emit(SubCallStarted(self._run, call, function, model, prompt))
        reply: str | None = None
        failure: str | None = "cancelled"
        try:
            reply, failure = await ask(), None
        except ModelError as error:
            failure = str(error)
            raise HostCallFailedError(type(error).__name__, failure) from error
        except RLMKernelError as error:
            failure = f"the child run failed: {error}"
            raise HostCallFailedError(type(error).__name__, failure) from error
        finally:
            duration = time.monotonic() - started
            self._setting.emit(SubCallFinished(self._run, call, reply, failure, duration))
        return reply
