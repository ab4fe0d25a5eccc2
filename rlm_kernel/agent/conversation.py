"""What lasts from one question to the next: a session with its variables, and what was said."""

from __future__ import annotations

import threading

from rlm_kernel.agent.answer_type import AnswerType
from rlm_kernel.agent.context import ContextFile, pack_context
from rlm_kernel.agent.environment import Environment, REPLFactory
from rlm_kernel.agent.history import History
from rlm_kernel.agent.prompts import Abilities, Earlier, question, system_prompt
from rlm_kernel.agent.setting import RunOptions
from rlm_kernel.errors import ConversationBusy


class Conversation:
    """One question, or, where it is `persistent`, several that follow each other.

    Each question is put between `enter` and `leave`. A persistent conversation keeps its session
    after that, until `close`; it may go on in another event loop.
    """

    def __init__(self, *, persistent: bool = False) -> None:
        self.is_persistent = persistent
        self._environment: Environment | None = None
        self._history: History | None = None
        self._answered: list[dict[str, str]] = []
        self._contexts: list[ContextFile] = []
        self._busy = threading.Lock()
        self._lost = False

    @property
    def questions(self) -> int:
        """How many have been answered."""
        return len(self._answered)

    @property
    def context(self) -> ContextFile | None:
        """The newest one; None before the first question."""
        return self._contexts[-1] if self._contexts else None

    async def enter(self, factory: REPLFactory) -> Environment:
        """The session, opened or resumed. Raises ManagerError, and ConversationBusy while another
        question is being answered."""
        if not self._busy.acquire(blocking=False):
            raise ConversationBusy("this agent still answers another question; ask it afterwards")
        try:
            if self._environment is None:
                self._environment = await factory.open_environment()
            elif not await self._environment.resume():
                self._lost = True
        except BaseException:
            self._busy.release()
            raise
        return self._environment

    async def put(
        self,
        query: str,
        context: ContextFile | None,
        answer_type: AnswerType | None,
        abilities: Abilities,
        options: RunOptions,
    ) -> History:
        """Load what the question is about and ask it, after what was said before.

        Without a context it is about the one of the question before.
        """
        await self._load(context, abilities)
        if self._history is None:
            instructions = system_prompt(options.prompts, abilities, options.system_prompt)
            self._history = History(instructions, options.history_limit)
        schema = None if answer_type is None else answer_type.schema
        self._history.ask(
            question(
                query,
                context,
                size=options.prompts,
                schema=schema,
                lost=self._lost,
                earlier=Earlier(max(0, len(self._contexts) - 1), len(self._answered)),
            )
        )
        self._lost = False
        return self._history

    def close_question(self, query: str, reply: str, answer: str) -> None:
        """Note how the question was answered, for those that follow."""
        if self._history is not None:
            self._history.close(reply)
        self._answered.append({"query": query, "answer": answer})

    async def leave(self) -> None:
        """Stop what runs, and end the session unless it is to be kept. Raises no ManagerError."""
        try:
            if self._environment is not None and self.is_persistent:
                await self._environment.suspend()
            elif self._environment is not None:
                await self._environment.close()
        finally:
            self._busy.release()

    async def close(self) -> None:
        """End the session and forget all; a further question would begin anew. Idempotent.

        Raises ConversationBusy while a question is being answered.
        """
        if not self._busy.acquire(blocking=False):
            raise ConversationBusy("this agent still answers a question; cancel that first")
        environment = self._environment
        self._environment = self._history = None
        self._answered, self._contexts, self._lost = [], [], False
        try:
            if environment is not None:
                await environment.close()
        finally:
            self._busy.release()

    async def _load(self, context: ContextFile | None, abilities: Abilities) -> None:
        assert self._environment is not None
        numbered = (f"context_{len(self._contexts)}",) if self.is_persistent else ()
        await self._environment.load(
            context,
            sub_calls=abilities.sub_calls,
            recursion=abilities.recursion,
            tools=abilities.tools,
            names=("context", *numbered),
            history=pack_context(self._answered) if self.is_persistent else None,
        )
        self._contexts += [context] if context is not None else []
