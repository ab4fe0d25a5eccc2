"""`RLM_REPL`: a recursive language model as one object."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace

from rlm_kernel.agent.blocking import run_blocking
from rlm_kernel.agent.cancellation import unbroken
from rlm_kernel.agent.context import pack_context
from rlm_kernel.agent.costs import CostRecord, CostSummary
from rlm_kernel.agent.environment import REPLFactory
from rlm_kernel.agent.events import AnswerGiven, Event
from rlm_kernel.agent.loop import Run
from rlm_kernel.agent.models import LiteLLMModel, Model
from rlm_kernel.agent.setting import RunOptions, Setting


class RLM_REPL:  # noqa: N801 the name that users of RLM libraries know
    """Answers questions about contexts of any length with a model that writes code.

    `model` and `recursive_model` (for what the code asks; the same by default) are litellm names
    or `Model` objects. The meaning of `max_iterations` and `max_depth`, and limits beyond them:
    see `RunOptions`; they overrule those of `options`. `enable_logging` shows each step on stderr.
    `repl_factory` makes the sessions: by default on the manager at WASM_MANAGER_SERVICE_URL.

    Runs may overlap: each has its own session.
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
    ) -> None:
        self._model = _model(model)
        self._recursive_model = _model(model if recursive_model is None else recursive_model)
        options = options or RunOptions()
        self._options = replace(
            options,
            max_iterations=options.max_iterations if max_iterations is None else max_iterations,
            max_depth=options.max_depth if max_depth is None else max_depth,
        )
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

    def completion(self, context: object = "", query: str = "") -> str:
        """The answer to `query` about `context`; blocks, also inside a running event loop.

        `context` is a str, bytes, or plain data (None, numbers, lists, tuples, sets, dicts).
        Raises ModelError, ManagerError, AgentError; ConfigurationError for a context of another
        kind.
        """
        return run_blocking(self.acompletion(context, query))

    async def acompletion(self, context: object = "", query: str = "") -> str:
        """As `completion`. A cancellation stops the running code and deletes the session."""
        return (await self._run(context, query, lambda event: None)).text

    async def astream(self, context: object = "", query: str = "") -> AsyncGenerator[Event, None]:
        """The run's events as they happen, `AnswerGiven` of run "0" the last.

        Closing the generator early ends the run as a cancellation does.
        """
        events: asyncio.Queue[Event | None] = asyncio.Queue()
        run = asyncio.create_task(self._run(context, query, events.put_nowait))
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
        """Forget the costs and the last answer."""
        self._costs.clear()
        self._last_answer = None

    async def _run(self, context: object, query: str, emit: Callable[[Event], None]) -> AnswerGiven:
        setting = Setting(
            self._model,
            self._recursive_model,
            self._options,
            self._factory,
            self._costs,
            emit if self._log is None else _both(self._log, emit),
        )
        run = Run("0", setting, self._model, self._options.max_depth)
        packed = await asyncio.to_thread(pack_context, context)
        self._last_answer = await run.answer(packed, query)
        return self._last_answer


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
