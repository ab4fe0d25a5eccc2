"""The ways in which a model can be made to answer an item: by itself, and as an RLM."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from rlm_kernel.agent.environment import Environment, REPLFactory
from rlm_kernel.agent.evaluation.conditions import Conditions
from rlm_kernel.agent.evaluation.item import Item
from rlm_kernel.agent.evaluation.tokens import cut_to, estimate_tokens
from rlm_kernel.agent.ledger.costs import CostRecord, CostSummary
from rlm_kernel.agent.models.model import Message, Model
from rlm_kernel.agent.repl import RLM_REPL
from rlm_kernel.agent.setting import RunOptions, Setting
from rlm_kernel.errors import ConfigurationError

METHODS = ("rlm", "plain")
CUT = "\n[The text is cut off here: it is longer than can be shown.]"
_REPLY_TOKENS = 1024  # room for the reply where the conditions set no limit
_MARGIN = 0.97  # tokens are estimated


class Attempt(Protocol):
    """One try at one item; `answer` is called once, the rest at any time, also after a failure."""

    async def answer(self) -> str:
        """The answer. Raises the RLMKernelError classes."""

    @property
    def costs(self) -> CostSummary:
        """What its calls took by now."""

    @property
    def turns(self) -> int | None:
        """How many turns the answer took; None before there is one, or for no RLM."""

    @property
    def shown(self) -> float | None:
        """The part of the context that the prompt holds; None for an RLM."""


class Method(Protocol):
    """A way to have items answered. May be used by many tasks at once."""

    def begin(self, item: Item) -> Attempt:
        """A try at this item."""


@dataclass(frozen=True, slots=True)
class Recursive:
    """An RLM: the context is a variable in a session of its own."""

    model: Model
    recursive_model: Model
    factory: REPLFactory
    conditions: Conditions

    def begin(self, item: Item) -> Attempt:
        """A run of its own."""
        rlm = RLM_REPL(
            self.model,
            self.recursive_model,
            repl_factory=self.factory,
            options=self.conditions.options,
        )
        return _Run(rlm, item)


@dataclass(frozen=True, slots=True)
class Plain:
    """One call of the model with the whole context in the prompt, before the question.

    What does not fit into the model's window is cut off at the end of the context, and the prompt
    says so. Room is left for the reply: what the conditions let it have, else 1,024 tokens.
    """

    model: Model
    conditions: Conditions

    def begin(self, item: Item) -> Attempt:
        """A call of its own. Raises ConfigurationError where not even the question fits."""
        context = self._fitting(item)
        shown = len(context) / len(item.context)
        prompt = f"{context}{'' if shown == 1 else CUT}\n\n{item.question}"
        return _Call(self.model, Message("user", prompt), self.conditions.options, shown)

    def _fitting(self, item: Item) -> str:
        if self.conditions.window is None:
            raise ConfigurationError("the plain method needs to know the model's window")
        reply = self.conditions.options.max_output_tokens or _REPLY_TOKENS
        taken = reply + estimate_tokens(CUT) + estimate_tokens(item.question)
        room = int(self.conditions.window * _MARGIN) - taken
        if room < 1:
            raise ConfigurationError(
                f"a window of {self.conditions.window:,} tokens is full without any context"
            )
        return cut_to(item.context, room)


@dataclass(slots=True)
class _Run:
    rlm: RLM_REPL
    item: Item
    shown: float | None = None

    async def answer(self) -> str:
        return await self.rlm.acompletion(self.item.context, self.item.question)

    @property
    def costs(self) -> CostSummary:
        return self.rlm.cost_summary()

    @property
    def turns(self) -> int | None:
        answer = self.rlm.last_answer
        return None if answer is None else answer.turns


@dataclass(slots=True)
class _Call:
    """It has the limits and the retries of a run, and no session."""

    model: Model
    prompt: Message
    options: RunOptions
    shown: float | None
    turns: int | None = None
    record: CostRecord = field(default_factory=CostRecord)

    async def answer(self) -> str:
        setting = Setting(
            self.model, self.model, self.options, _NoSessions(), self.record, lambda event: None
        )
        async with setting.root:
            return (await setting.complete("0", self.model, [self.prompt])).text
        raise AssertionError("unreachable")

    @property
    def costs(self) -> CostSummary:
        return self.record.summary()


class _NoSessions:
    async def open_environment(self) -> Environment:
        raise ConfigurationError("a plain call has no session")
