"""`RLM_REPL`: a recursive language model as one object."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, TypeVar, overload

from rlm_kernel.agent.answer_type import AnswerType
from rlm_kernel.agent.blocking import run_blocking
from rlm_kernel.agent.cancellation import unbroken
from rlm_kernel.agent.context import ContextFile, pack_context
from rlm_kernel.agent.conversation import Conversation
from rlm_kernel.agent.environment import REPLFactory
from rlm_kernel.agent.events import AnswerGiven, Event
from rlm_kernel.agent.ledger.costs import CostRecord, CostSummary
from rlm_kernel.agent.loop import Run
from rlm_kernel.agent.models.model import LiteLLMModel, Model
from rlm_kernel.agent.result import RunResult
from rlm_kernel.agent.setting import RunOptions, Setting
from rlm_kernel.agent.tools import Toolbox, Tools

Value = TypeVar("Value")


class RLM_REPL:  # noqa: N801 the name that users of RLM libraries know
    """Answers questions about contexts of any length with a model that writes code.

    `model` and `recursive_model` (for what the code asks; the same by default) are litellm names
    or `Model` objects. The meaning of `max_iterations` and `max_depth`, and limits beyond them:
    see `RunOptions`; they overrule those of `options`. `enable_logging` shows each step on stderr.
    `repl_factory` makes the sessions: by default on the manager at WASM_MANAGER_SERVICE_URL.

    `tools` are functions of yours, a dict by name or a list, that the code may call: they run here,
    take and give plain data, and may be asynchronous. `answer_type` is what answers have to be,
    unless a call says otherwise; see `acompletion`.

    Runs may overlap: each has its own session. With `persistent` there is one session instead for
    one question after the other: variables and the conversation last until `close`, or the end of
    a `with` or `async with` block.
    """

    def __init__(
        self,
        model: str | Model = "gpt-5",
        recursive_model: str | Model | None = None,
        max_iterations: int | None = None,
        max_depth: int | None = None,
        enable_logging: bool = False,
        repl_factory: REPLFactory | None = None,
        *,
        options: RunOptions | None = None,
        tools: Tools | None = None,
        answer_type: Any = None,
        persistent: bool = False,
    ) -> None:
        self._model = _model(model)
        self._recursive_model = _model(model if recursive_model is None else recursive_model)
        options = options or RunOptions()
        self._options = replace(
            options,
            max_iterations=options.max_iterations if max_iterations is None else max_iterations,
            max_depth=options.max_depth if max_depth is None else max_depth,
        )
        self._tools = Toolbox.of(tools)
        self._answer_type = None if answer_type is None else AnswerType.of(answer_type)
        self._conversation = Conversation(persistent=True) if persistent else None
        self._log = _step_printer() if enable_logging else None
        self._factory = repl_factory or _default_factory()
        self._costs = CostRecord()
        self._last_answer: AnswerGiven | None = None

    @property
    def last_answer(self) -> AnswerGiven | None:
        """The latest run's answer with what is known of it, for instance whether it was forced."""
        return self._last_answer

    @property
    def secrets(self) -> frozenset[str]:
        """What its models and its manager are reached with: values that no record may hold."""
        held = [getattr(model, "api_key", None) for model in (self._model, self._recursive_model)]
        held.append(getattr(self._factory, "token", None))
        return frozenset(each for each in held if each)

    @overload
    def completion(self, context: object = "", query: str = "") -> str: ...
    @overload
    def completion(
        self, context: object = "", query: str = "", *, answer_type: type[Value]
    ) -> Value: ...
    @overload
    def completion(self, context: object = "", query: str = "", *, answer_type: Any) -> Any: ...

    def completion(self, context: object = "", query: str = "", *, answer_type: Any = None) -> Any:
        """As `acompletion`; blocks, also inside a running event loop."""
        return run_blocking(self.acompletion(context, query, answer_type=answer_type))

    @overload
    async def acompletion(self, context: object = "", query: str = "") -> str: ...
    @overload
    async def acompletion(
        self, context: object = "", query: str = "", *, answer_type: type[Value]
    ) -> Value: ...
    @overload
    async def acompletion(
        self, context: object = "", query: str = "", *, answer_type: Any
    ) -> Any: ...

    async def acompletion(
        self, context: object = "", query: str = "", *, answer_type: Any = None
    ) -> Any:
        """The answer to `query` about `context`.

        `context` is a str, bytes, plain data (None, numbers, lists, tuples, sets, dicts), or files:
        a pathlib.Path of a file or a folder, or a list of them. In a persistent session an empty
        str is no new context: the question is about the one before.

        The answer is a str. With an `answer_type`, a type that pydantic knows, a model class for
        instance, it is a value of that; with a dict, which is a JSON schema, it is plain data that
        fits. An answer that does not fit is told to the model, which may try again.

        A cancellation stops the running code. Raises ModelError, ManagerError, AgentError;
        ConfigurationError for a context or a type of another kind, and ContextTooLarge.
        """
        return (await self.arun(context, query, answer_type=answer_type)).value

    def run(self, context: object = "", query: str = "", *, answer_type: Any = None) -> RunResult:
        """As `arun`; blocks, also inside a running event loop."""
        return run_blocking(self.arun(context, query, answer_type=answer_type))

    async def arun(
        self,
        context: object = "",
        query: str = "",
        *,
        answer_type: Any = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> RunResult:
        """As `acompletion`, with what is known of the answer beside it.

        `on_event` is told of each event while it happens. A BudgetExceeded that it raises about a
        CodeFinished ends the run that this is of, as a limit of that run alone.
        """
        began = time.monotonic()
        answer = await self._run(context, query, answer_type, on_event or (lambda event: None))
        return RunResult.of(answer, self._model.name, query, time.monotonic() - began)

    async def astream(
        self, context: object = "", query: str = "", *, answer_type: Any = None
    ) -> AsyncGenerator[Event, None]:
        """The run's events as they happen, `AnswerGiven` of run "0" the last.

        Closing the generator early ends the run as a cancellation does.
        """
        events: asyncio.Queue[Event | None] = asyncio.Queue()
        run = asyncio.create_task(self._run(context, query, answer_type, events.put_nowait))
        run.add_done_callback(lambda _: events.put_nowait(None))
        try:
            while (event := await events.get()) is not None:
                yield event
            await run
        finally:
            run.cancel()
            await unbroken(_ended(run))

    def cost_summary(self) -> CostSummary:
        """What the model calls of all runs took since the start or `reset`, running ones too."""
        return self._costs.summary()

    def reset(self) -> None:
        """Forget the costs, the last answer, and the conversation, whose session ends."""
        self._costs.clear()
        self._last_answer = None
        self.close()

    def close(self) -> None:
        """As `aclose`; blocks, also inside a running event loop."""
        if self._conversation is not None:
            run_blocking(self._conversation.close())

    async def aclose(self) -> None:
        """End the session of a persistent conversation; a further question begins a new one.

        Idempotent. Raises ConversationBusy while a question is being answered.
        """
        if self._conversation is not None:
            await self._conversation.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await unbroken(self.aclose())

    async def _run(
        self, context: object, query: str, answer_type: Any, emit: Callable[[Event], None]
    ) -> AnswerGiven:
        wanted = self._answer_type if answer_type is None else AnswerType.of(answer_type)
        setting = Setting(
            self._model,
            self._recursive_model,
            self._options,
            self._factory,
            self._costs,
            emit if self._log is None else _both(self._log, emit),
            self._tools,
        )
        run = Run("0", setting, self._model, self._options.max_depth, self._conversation)
        packed = await self._packed(context)
        self._last_answer = await run.answer(packed, query, wanted)
        return self._last_answer

    async def _packed(self, context: object) -> ContextFile | None:
        goes_on = self._conversation is not None and self._conversation.context is not None
        if goes_on and isinstance(context, str) and not context:
            return None
        return await asyncio.to_thread(pack_context, context, self._options.context_limit)


def _model(model: str | Model) -> Model:
    return LiteLLMModel(model) if isinstance(model, str) else model


def _default_factory() -> REPLFactory:
    from rlm_kernel.agent.factory import create_sidecar_repl_factory

    return create_sidecar_repl_factory()


def _step_printer() -> Callable[[Event], None]:
    from rlm_kernel.agent.steps import StepPrinter

    return StepPrinter().show


def _both(
    first: Callable[[Event], None], second: Callable[[Event], None]
) -> Callable[[Event], None]:
    def emit(event: Event) -> None:
        first(event)
        second(event)

    return emit


async def _ended(run: asyncio.Task[AnswerGiven]) -> None:
    await asyncio.gather(run, return_exceptions=True)
