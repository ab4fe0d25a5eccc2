"""The loop of a run: the model writes code, the session runs it, until there is an answer."""

from __future__ import annotations

import asyncio
import time
from contextlib import nullcontext
from dataclasses import replace

from rlm_kernel.agent.answers import find_text_answer
from rlm_kernel.agent.context import ContextFile
from rlm_kernel.agent.environment import Environment
from rlm_kernel.agent.events import (
    AnswerGiven,
    ModelReplied,
    RunFailed,
    RunStarted,
    SessionOpened,
    TurnStarted,
)
from rlm_kernel.agent.feedback import FORCED, REPEATED, describe_turns_left
from rlm_kernel.agent.fences import without_thoughts
from rlm_kernel.agent.functions import HostFunctions
from rlm_kernel.agent.history import History
from rlm_kernel.agent.models import Completion, Message, Model
from rlm_kernel.agent.prompts import question, system_prompt
from rlm_kernel.agent.setting import Setting
from rlm_kernel.agent.turn import Turn
from rlm_kernel.errors import BudgetExceeded, RLMKernelError, RunCancelled, TurnLimitExceeded


class Run:
    """One question about one context, in one session; `answer` is called once.

    `name` is the run's place in its tree, as in `RunEvent`; `depth_left` is what is left of
    `max_depth`.
    """

    def __init__(self, name: str, setting: Setting, model: Model, depth_left: int) -> None:
        self._name = name
        self._setting = setting
        self._model = model
        self._depth_left = depth_left
        self._children = 0
        self._functions = HostFunctions(
            name, setting, sub_calls=depth_left > 0, child_run=self._child if self._recurs else None
        )

    async def answer(self, context: ContextFile, query: str) -> AnswerGiven:
        """Open a session, run the loop, close the session.

        Raises ModelError, ManagerError, AgentError, or BudgetExceeded where even the forced reply
        at the end of the turns is empty.
        """
        self._setting.emit(self._beginning(context, query))
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
        if isinstance(error, BudgetExceeded):
            error.partial_answer, error.usage = partial or error.partial_answer, usage
        return RunFailed(self._name, error.code, str(error), partial, usage)

    async def _find_answer(self, context: ContextFile, query: str) -> AnswerGiven:
        environment = await self._setting.factory.open_environment()
        try:
            self._announce(environment)
            await environment.load(context, sub_calls=self._depth_left > 0, recursion=self._recurs)
            return await self._converse(environment, self._history(context, query))
        finally:
            await environment.close()

    def _beginning(self, context: ContextFile, query: str) -> RunStarted:
        return RunStarted(
            self._name,
            self._model.name,
            query,
            context.type_name,
            context.note,
            self._setting.options.max_iterations,
            self._depth_left,
            context,
        )

    @property
    def _recurs(self) -> bool:
        return self._depth_left > 1

    def _history(self, context: ContextFile, query: str) -> History:
        options = self._setting.options
        instructions = system_prompt(
            options.prompts, sub_calls=self._depth_left > 0, recursion=self._recurs
        )
        opening = question(query, context.type_name, context.note, size=options.prompts)
        return History(
            [Message("system", instructions), Message("user", opening)], options.history_limit
        )

    async def _converse(self, environment: Environment, history: History) -> AnswerGiven:
        turns = self._setting.options.max_iterations
        before = ""
        for number in range(1, turns + 1):
            completion = await self._ask(number, history)
            session_id = environment.session_id
            outcome = await self._turn(number, environment).take(completion)
            if environment.session_id != session_id:
                self._announce(environment)
            if outcome.answer is not None:
                return AnswerGiven(self._name, outcome.answer.text, outcome.answer.source, number)
            notes = [outcome.feedback, *([REPEATED] if completion.text == before else [])]
            notes += describe_turns_left(turns - number) if number < turns else [FORCED]
            history.add(completion.text, "\n\n".join(notes))
            before = completion.text
        completion = await self._ask(turns + 1, history)
        text = await self._forced_answer(self._turn(turns + 1, environment), completion)
        return AnswerGiven(self._name, text, "forced", turns + 1, forced=True)

    def _turn(self, number: int, environment: Environment) -> Turn:
        return Turn(self._name, number, self._setting, environment, self._functions)

    def _announce(self, environment: Environment) -> None:
        opened = SessionOpened(self._name, environment.session_id, environment.connection)
        self._setting.emit(opened)

    async def _ask(self, number: int, history: History) -> Completion:
        turns = self._setting.options.max_iterations
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

    async def _forced_answer(self, turn: Turn, completion: Completion) -> str:
        """The last reply's FINAL(...) wherever it stands, or else all of the reply."""
        text = without_thoughts(completion.text).strip()
        answer = find_text_answer(text, anywhere=True)
        if answer is not None:
            result = await turn.evaluate(answer)
            return answer.argument if result.answer is None else result.answer.text
        if not text:
            turns = self._setting.options.max_iterations
            raise TurnLimitExceeded(f"the model gave no answer within {turns} turns")
        return text

    async def _child(self, context: ContextFile, task: str) -> str:
        self._children += 1
        name = f"{self._name}.{self._children}"
        child = Run(name, self._setting, self._setting.recursive_model, self._depth_left - 1)
        return (await child.answer(context, task)).text
