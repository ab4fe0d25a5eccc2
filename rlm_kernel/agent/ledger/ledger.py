"""The books of a tree of runs: what it took, what is set aside, and what it may still take."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from rlm_kernel.agent.ledger.budget import Budget
from rlm_kernel.agent.ledger.costs import CostRecord
from rlm_kernel.agent.ledger.usage import Usage
from rlm_kernel.agent.models.model import Completion, Message
from rlm_kernel.agent.models.terms import Terms
from rlm_kernel.errors import (
    BudgetExceeded,
    CallLimitExceeded,
    ConfigurationError,
    CostLimitExceeded,
    ErrorLimitExceeded,
    TokenLimitExceeded,
    TurnLimitExceeded,
)

ASSUMED_OUTPUT_TOKENS = 16_384
"""How long a reply may be where tokens or money are limited and nobody has said how long."""

LEAST_OUTPUT_TOKENS = 256
"""With room for less than this a call is not worth making, unless it is to be as short."""

_BYTES_PER_TOKEN = 2
_TOKENS_PER_MESSAGE = 8


@dataclass(frozen=True, slots=True)
class Call:
    """A call that is about to be made. `max_output_tokens` is what the run's options say."""

    model: str
    messages: Sequence[Message]
    terms: Terms
    max_output_tokens: int | None = None

    @property
    def prompt_tokens(self) -> int:
        """An estimate: hardly any text has more than a token for each two of its bytes."""
        size = sum(len(message.content.encode(errors="replace")) for message in self.messages)
        return size // _BYTES_PER_TOKEN + _TOKENS_PER_MESSAGE * len(self.messages)

    @property
    def longest_reply(self) -> int:
        """In tokens."""
        assumed = ASSUMED_OUTPUT_TOKENS if self.max_output_tokens is None else None
        known = (self.max_output_tokens, self.terms.max_output_tokens, assumed)
        return min(limit for limit in known if limit is not None)


@dataclass(frozen=True, slots=True, eq=False)
class Reservation:
    """What is set aside for one call of `model` until it has ended.

    It covers a reply of `output_tokens`, None for one of any length: so the call is to be made.
    """

    model: str
    output_tokens: int | None
    tokens: int = 0
    cost_usd: float = 0.0


class Ledger:
    """One for a root run and all that is below it; it belongs to one event loop.

    A call is reserved before it is made, with the most that it can take, and settled when it has
    ended. So calls that run at once cannot go over a limit together: one for which too little is
    left waits for those before it, and fails where even then it does not fit. `costs` is told of
    every call.
    """

    def __init__(self, budget: Budget, costs: CostRecord) -> None:
        self._budget = budget
        self._costs = costs
        self._turns = 0
        self._errors = 0
        self._began = time.monotonic()
        self._running: set[Reservation] = set()
        self._uncertain: list[Reservation] = []
        self._line = asyncio.Lock()
        self._settled = asyncio.Event()

    def usage(self) -> Usage:
        """What was taken by now; calls that still run are not in it."""
        seconds = time.monotonic() - self._began
        return Usage(self._costs.summary(), self._turns, self._errors, seconds)

    def begin_turn(self) -> None:
        """Count a turn that is about to begin. Raises TurnLimitExceeded."""
        if self._budget.turns is not None and self._turns >= self._budget.turns:
            raise TurnLimitExceeded(f"the {self._budget.turns} turns of the budget are used up")
        self._turns += 1

    def count_error(self) -> None:
        """Count a cell or a call that has failed. Raises ErrorLimitExceeded."""
        self._errors += 1
        if self._budget.errors is not None and self._errors >= self._budget.errors:
            raise ErrorLimitExceeded(f"{self._errors} cells and model calls failed")

    async def reserve(self, call: Call) -> Reservation:
        """Set aside the most that a call can take; calls are served in the order they come.

        Raises CallLimitExceeded, TokenLimitExceeded, CostLimitExceeded, and ConfigurationError
        where money is limited and the model's price is not known.
        """
        async with self._line:
            while (reservation := self._reserved(call)) is None:
                self._settled.clear()
                await self._settled.wait()
            self._running.add(reservation)
            return reservation

    def settle(self, reservation: Reservation, completion: Completion) -> None:
        """The call was answered, and took what the answer says."""
        self._costs.completed(reservation.model, completion)
        self._release(reservation)

    def settle_failed(self, reservation: Reservation, *, may_have_cost: bool) -> None:
        """The call failed.

        Where it may have cost something nobody knows how much, but no more than was set aside:
        no other call is given that.
        """
        self._costs.failed(reservation.model, uncertain=may_have_cost)
        if may_have_cost:
            self._uncertain.append(reservation)
        self._release(reservation)

    def _release(self, reservation: Reservation) -> None:
        self._running.discard(reservation)
        self._settled.set()

    def _reserved(self, call: Call) -> Reservation | None:
        """The reservation; None where it has to wait for calls that run."""
        self._refuse_one_call_too_many()
        if self._budget.tokens is None and self._budget.cost_usd is None:
            return Reservation(call.model, call.max_output_tokens)
        wanted = call.longest_reply
        room = min(self._room_by_tokens(call), self._room_by_money(call))
        if room >= wanted:
            granted = wanted
        elif self._running:
            return None
        elif room >= min(wanted, LEAST_OUTPUT_TOKENS):
            granted = math.floor(room)
        else:
            raise self._shortage(call)
        cost = call.terms.price(call.prompt_tokens, granted)
        return Reservation(call.model, granted, call.prompt_tokens + granted, cost or 0.0)

    def _refuse_one_call_too_many(self) -> None:
        limit = self._budget.calls
        if limit is not None and self._costs.summary().total.calls + len(self._running) >= limit:
            raise CallLimitExceeded(f"the {limit} model calls of the budget are used up")

    def _room_by_tokens(self, call: Call) -> float:
        """How long a reply the tokens that are left are enough for; below 0 not even a prompt."""
        return self._tokens_left() - call.prompt_tokens

    def _room_by_money(self, call: Call) -> float:
        """How long a reply the money that is left is enough for; below 0 not even a prompt."""
        if self._budget.cost_usd is None:
            return math.inf
        price, prompt = call.terms.output_usd, call.terms.price(call.prompt_tokens, 0)
        if price is None or prompt is None:
            raise ConfigurationError(
                f"money is limited, but no price is known for calls of {call.model}"
            )
        left = self._money_left() - prompt
        return left / price if price else math.copysign(math.inf, left)

    def _tokens_left(self) -> float:
        if self._budget.tokens is None:
            return math.inf
        spent = self._costs.summary().total
        held = sum(each.tokens for each in (*self._running, *self._uncertain))
        return self._budget.tokens - spent.input_tokens - spent.output_tokens - held

    def _money_left(self) -> float:
        if self._budget.cost_usd is None:
            return math.inf
        held = sum(each.cost_usd for each in (*self._running, *self._uncertain))
        return self._budget.cost_usd - self._costs.summary().total.cost_usd - held

    def _shortage(self, call: Call) -> BudgetExceeded:
        prompt = f"the next call of {call.model}, with some {call.prompt_tokens:,} tokens to read,"
        if self._room_by_tokens(call) <= self._room_by_money(call):
            left = max(0, math.floor(self._tokens_left()))
            return TokenLimitExceeded(
                f"{left:,} of the budget's {self._budget.tokens:,} tokens are left: {prompt} "
                "could take more"
            )
        return CostLimitExceeded(
            f"${max(0.0, self._money_left()):.4f} of the budget's ${self._budget.cost_usd:.4f} "
            f"are left: {prompt} could cost more"
        )
