"""The loop of a run: the model writes code, the session runs it, until there is an answer."""

from __future__ import annotations

import asyncio
import time
from contextlib import nullcontext
from dataclasses import replace

from rlm_kernel.agent.answer_type import AnswerType
from rlm_kernel.agent.answers import find_text_answer
from rlm_kernel.agent.compaction import compact
from rlm_kernel.agent.context import ContextFile, fetched_context, key_of
from rlm_kernel.agent.conversation import Conversation
from rlm_kernel.agent.environment import Answer, Environment, REPLFactory
from rlm_kernel.agent.events import (
    AnswerGiven,
    AnswerSource,
    ModelReplied,
    RunFailed,
    RunStarted,
    SessionOpened,
    TurnStarted,
)
from rlm_kernel.agent.feedback import FORCED, MISMATCH, REPEATED, describe_turns_left
from rlm_kernel.agent.fences import without_thoughts
from rlm_kernel.agent.functions import Delegation, HostFunctions
from rlm_kernel.agent.history import History
from rlm_kernel.agent.models.model import Completion, Model
from rlm_kernel.agent.patience import PatientFactory, patiently
from rlm_kernel.agent.prompts import Abilities
from rlm_kernel.agent.setting import Setting
from rlm_kernel.agent.tool_calls import ToolCalls
from rlm_kernel.agent.turn import Turn
from rlm_kernel.errors import (
    AnswerMismatch,
    BudgetExceeded,
    RLMKernelError,
    RunCancelled,
    TurnLimitExceeded,
)


class Run:
    """One question about one context; `answer` is called once.

    `name` is the run's place in its tree, as in `RunEvent`; `depth_left` is what is left of
    `max_depth`. A `conversation` has the session, and what was said in it before; `factory` makes
    the session where the setting's is not to.
    """

    def __init__(
        self,
        name: str,
        setting: Setting,
        model: Model,
        depth_left: int,
        conversation: Conversation | None = None,
        factory: REPLFactory | None = None,
    ) -> None:
        self._name = name
        self._factory = factory or setting.factory
        self._environment: Environment | None = None
        self._setting = setting
        self._model = model
        self._depth_left = depth_left
        self._conversation = conversation or Conversation()
        self._answer_type: AnswerType | None = None
        self._functions = HostFunctions(
            name, setting, sub_calls=depth_left > 0, child_run=self._child if self._recurs else None
        )
        self._calls = ToolCalls(name, setting, self._functions)

    async def answer(
        self, context: ContextFile | None, query: str, answer_type: AnswerType | None = None
    ) -> AnswerGiven:
        """Enter the conversation's session, run the loop, leave the session.

        Without a context the question is about that of the one before. Raises ModelError,
        ManagerError, AgentError; BudgetExceeded where even the forced reply at the end of the turns
        is empty, and AnswerMismatch where it is not of `answer_type`.
        """
        self._answer_type = answer_type
        self._setting.emit(self._beginning(context or self._conversation.context, query))
        try:
            async with self._setting.root if self._name == "0" else nullcontext():
                answer = await self._find_answer(context, query)
        except (RLMKernelError, asyncio.CancelledError) as error:
            self._setting.emit(self._failure(error))
            raise
        answer = replace(answer, usage=self._setting.usage())
        self._setting.emit(answer)
        return answer

    def _failure(self, error: RLMKernelError | asyncio.CancelledError) -> RunFailed:
        """The event about the end of the run; completes an error that says what there was."""
        reason = self._setting.root.reason
        if isinstance(error, asyncio.CancelledError) and reason is not None:
            error = reason  # a limit of the tree, which ends all of its runs
        partial, usage = self._setting.partial_answer(self._name), self._setting.usage()
        if isinstance(error, asyncio.CancelledError):
            ended = RunCancelled("somebody ended the run")
            return RunFailed(self._name, ended.code, str(ended), partial, usage)
        if isinstance(error, BudgetExceeded | AnswerMismatch):
            error.partial_answer, error.usage = partial or error.partial_answer, usage
        return RunFailed(self._name, error.code, str(error), partial, usage)

    async def _find_answer(self, context: ContextFile | None, query: str) -> AnswerGiven:
        conversation, setting = self._conversation, self._setting
        self._environment = environment = await conversation.enter(self._factory)
        try:
            self._announce(environment)
            history = await conversation.put(
                query, context, self._answer_type, self._abilities, setting.options
            )
            answer, reply = await self._converse(environment, history)
            conversation.close_question(query, reply, answer.text)
            return answer
        finally:
            await conversation.leave()

    def _beginning(self, context: ContextFile | None, query: str) -> RunStarted:
        assert context is not None
        return RunStarted(
            self._name,
            self._model.name,
            query,
            context.type_name,
            context.note,
            self._setting.options.max_iterations,
            self._depth_left,
            context,
            self._abilities.tools,
            self._conversation.questions + 1,
        )

    @property
    def _recurs(self) -> bool:
        return self._depth_left > 1

    @property
    def _abilities(self) -> Abilities:
        return Abilities(
            sub_calls=self._depth_left > 0,
            recursion=self._recurs,
            persistent=self._conversation.is_persistent,
            tools=tuple(tool.shown for tool in self._setting.tools),
        )

    async def _converse(
        self, environment: Environment, history: History
    ) -> tuple[AnswerGiven, str]:
        """The answer, and the reply that gave it."""
        turns = self._setting.options.max_iterations
        before = ""
        for number in range(1, turns + 1):
            completion = await self._ask(number, history)
            session_id = environment.session_id
            outcome = await self._turn(number, environment).take(completion)
            if environment.session_id != session_id:
                self._announce(environment)
            given, problem = self._accept(outcome.answer, number)
            if given is not None:
                return given, completion.text
            notes = [outcome.feedback, problem, REPEATED if completion.text == before else ""]
            notes += describe_turns_left(turns - number) if number < turns else [FORCED]
            history.add(completion.text, "\n\n".join(filter(None, notes)))
            before = completion.text
        completion = await self._ask(turns + 1, history)
        answer = await self._forced_answer(self._turn(turns + 1, environment), completion)
        try:
            return self._given(answer, "forced", turns + 1), completion.text
        except AnswerMismatch as mismatch:
            reason = f"the answer is not of the form that was asked for:\n{mismatch}"
            raise AnswerMismatch(reason, answer.text) from mismatch

    def _accept(self, answer: Answer | None, number: int) -> tuple[AnswerGiven | None, str]:
        """The answer where there is one that fits, or else what is wrong with it."""
        if answer is None:
            return None, ""
        try:
            return self._given(answer, answer.source, number), ""
        except AnswerMismatch as mismatch:
            return None, MISMATCH.format(problems=mismatch)

    def _given(self, answer: Answer, source: AnswerSource, turns: int) -> AnswerGiven:
        """Raises AnswerMismatch."""
        text, value = answer.text, answer.text
        if self._answer_type is not None:
            value = self._answer_type.read(answer)
            text = answer.text if answer.json is None else answer.json
        return AnswerGiven(self._name, text, source, turns, source == "forced", value)

    def _turn(self, number: int, environment: Environment) -> Turn:
        return Turn(self._name, number, self._setting, environment, self._calls)

    def _announce(self, environment: Environment) -> None:
        opened = SessionOpened(self._name, environment.session_id, environment.connection)
        self._setting.emit(opened)

    async def _ask(self, number: int, history: History) -> Completion:
        options = self._setting.options
        await compact(history, options.compaction, options.history_limit, self._summarise)
        turns = options.max_iterations
        self._setting.begin_turn()
        messages = tuple(history.messages())
        self._setting.emit(TurnStarted(self._name, number, turns, messages))
        began = time.monotonic()
        completion = await self._setting.complete(self._name, self._model, messages)
        self._setting.emit(
            ModelReplied(
                self._name,
                number,
                completion.text,
                completion.input_tokens,
                completion.output_tokens,
                completion.cost_usd,
                time.monotonic() - began,
            )
        )
        return completion

    async def _summarise(self, prompt: str) -> str:
        return await self._functions.summarise(self._model, prompt)

    async def _forced_answer(self, turn: Turn, completion: Completion) -> Answer:
        """The last reply's FINAL(...) wherever it stands, or else all of the reply."""
        text = without_thoughts(completion.text).strip()
        answer = find_text_answer(text, anywhere=True)
        if answer is not None:
            result = await turn.evaluate(answer)
            return result.answer or Answer(answer.argument, "text")
        if not text:
            turns = self._setting.options.max_iterations
            raise TurnLimitExceeded(f"the model gave no answer within {turns} turns")
        return Answer(text, "text")

    async def _child(self, delegation: Delegation) -> str:
        environment, setting = self._environment, self._setting
        assert environment is not None
        original = environment.fork if delegation.fork else setting.factory.open_environment
        factory = PatientFactory(original, setting.options.session_wait_s)
        async with setting.room_for_children(self._name):
            child = Run(
                delegation.run, setting, delegation.model, self._depth_left - 1, factory=factory
            )
            context = await self._context_for(delegation)
            return (await child.answer(context, delegation.task)).text

    async def _context_for(self, delegation: Delegation) -> ContextFile:
        """What goes into the child's session."""
        context = delegation.context
        if delegation.fork or context.form != "handed":
            return context
        environment, seconds = self._environment, self._setting.options.session_wait_s
        assert environment is not None
        key = key_of(context)
        data = await patiently(lambda: environment.fetch_handed(key), seconds)
        return fetched_context(data, context)
