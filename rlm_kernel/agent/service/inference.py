"""One question on its way to its answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace

from rlm_kernel.agent import events
from rlm_kernel.agent.environment import REPLFactory
from rlm_kernel.agent.ledger.costs import CostRecord
from rlm_kernel.agent.ledger.usage import Usage
from rlm_kernel.agent.repl import RLM_REPL
from rlm_kernel.agent.service.question import Question
from rlm_kernel.agent.setting import Setting
from rlm_kernel.errors import AgentError

OnEvent = Callable[[events.Event], None]

_ROOT = "0"


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
        self._told = Usage()
        self._turns = 0
        self._began = time.monotonic()

    @property
    def usage(self) -> Usage:
        """The ledger's last word, with the calls that have been begun since."""
        return replace(
            self._told,
            costs=self._costs.summary() if self._rlm is None else self._rlm.cost_summary(),
            turns=max(self._turns, self._told.turns),
            seconds=time.monotonic() - self._began,
        )

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
            answer_type=question.answer_schema,
        )
        async with aclosing(self._rlm.astream(question.context, question.query)) as stream:
            async for event in stream:
                self._tell(event)
                if isinstance(event, events.AnswerGiven) and not event.depth:
                    answer = event
        if answer is None:
            raise AgentError("the run ended without a word")
        return answer

    async def _ask_model(self) -> events.AnswerGiven:
        """One call, under the same limits."""
        question = self._question
        assert question.messages is not None
        model, messages = question.model, tuple(question.messages)
        setting = Setting(model, model, question.options, self._factory, self._costs, self._tell)
        characters = sum(len(message.content) for message in messages)
        note = f"{characters:,} characters, which the model reads itself"
        self._tell(events.RunStarted(_ROOT, model.name, question.query, "str", note, 1, 0))
        async with setting.root:
            setting.begin_turn()
            self._tell(events.TurnStarted(_ROOT, 1, 1, messages))
            began = time.monotonic()
            completion = await setting.complete(_ROOT, model, messages)
        self._tell(
            events.ModelReplied(
                _ROOT,
                1,
                completion.text,
                completion.input_tokens,
                completion.output_tokens,
                completion.cost_usd,
                time.monotonic() - began,
            )
        )
        given = events.AnswerGiven(_ROOT, completion.text, "text", 1, usage=setting.usage())
        self._tell(given)
        return given

    def _tell(self, event: events.Event) -> None:
        match event:
            case events.LedgerUpdated():
                self._told = event.usage
            case events.AnswerGiven() | events.RunFailed() if not event.depth:
                self._told = event.usage
            case events.TurnStarted():
                self._turns += 1
        self._on_event(event)
