"""One question on its way to its answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing

from rlm_kernel.agent import events
from rlm_kernel.agent.costs import CostRecord
from rlm_kernel.agent.environment import REPLFactory
from rlm_kernel.agent.repl import RLM_REPL
from rlm_kernel.agent.service.question import Question
from rlm_kernel.agent.usage import Usage
from rlm_kernel.errors import AgentError, TimeLimitExceeded

OnEvent = Callable[[events.Event], None]

_DIRECT = "0"


class Inference:
    """Answers a question, in a session or, where it is `direct`, by the model alone.

    `usage` is what it took by now, also when it failed or was cancelled.
    """

    def __init__(self, question: Question, factory: REPLFactory, on_event: OnEvent) -> None:
        self._question = question
        self._factory = factory
        self._on_event = on_event
        self._costs = CostRecord()
        self._rlm: RLM_REPL | None = None
        self._turns = 0
        self._began = time.monotonic()
        self._known = Usage()

    @property
    def usage(self) -> Usage:
        """The ledger's last word; before its first, what is known without it."""
        if self._known.costs.total.calls:
            return self._known
        costs = self._costs.summary() if self._rlm is None else self._rlm.cost_summary()
        seconds = time.monotonic() - self._began
        return Usage(costs, self._turns, costs.total.failed_calls, seconds)

    async def answer(self) -> events.AnswerGiven:
        """Raises AgentError, ManagerError, ConfigurationError."""
        if self._question.direct:
            return await self._ask_model()
        return await self._run()

    async def _run(self) -> events.AnswerGiven:
        question, answer = self._question, None
        self._rlm = RLM_REPL(
            question.model,
            question.recursive_model,
            repl_factory=self._factory,
            options=question.options,
        )
        async with aclosing(self._rlm.astream(question.context, question.query)) as stream:
            async for event in stream:
                self._note(event)
                self._on_event(event)
                if isinstance(event, events.AnswerGiven) and not event.depth:
                    answer = event
        if answer is None:
            raise AgentError("the run ended without a word")
        return answer

    def _note(self, event: events.Event) -> None:
        match event:
            case events.LedgerUpdated():
                self._known = event.usage
            case events.AnswerGiven() | events.RunFailed() if not event.depth:
                self._known = event.usage
            case events.TurnStarted():
                self._turns += 1

    async def _ask_model(self) -> events.AnswerGiven:
        question = self._question
        assert question.messages is not None
        self._turns = 1
        self._on_event(events.TurnStarted(_DIRECT, 1, 1))
        began, seconds = time.monotonic(), question.options.budget.seconds
        try:
            async with asyncio.timeout(seconds):
                completion = await question.model.complete(
                    question.messages, max_output_tokens=question.options.max_output_tokens
                )
        except TimeoutError as error:
            self._costs.failed(question.model.name)
            raise TimeLimitExceeded(f"no answer within {seconds:g} s") from error
        except BaseException:
            self._costs.failed(question.model.name)
            raise
        self._costs.completed(question.model.name, completion)
        self._on_event(
            events.ModelReplied(
                _DIRECT,
                1,
                completion.text,
                completion.input_tokens,
                completion.output_tokens,
                completion.cost_usd,
                time.monotonic() - began,
            )
        )
        given = events.AnswerGiven(_DIRECT, completion.text, "text", 1, usage=self.usage)
        self._on_event(given)
        return given
