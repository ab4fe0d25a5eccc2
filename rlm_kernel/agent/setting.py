"""What all runs of one tree share: models, limits, sessions, and where events go."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from rlm_kernel.agent.compaction import Compaction
from rlm_kernel.agent.environment import REPLFactory
from rlm_kernel.agent.events import Event, LedgerUpdated
from rlm_kernel.agent.ledger.budget import Budget
from rlm_kernel.agent.ledger.costs import CostRecord
from rlm_kernel.agent.ledger.ledger import Call, Ledger
from rlm_kernel.agent.ledger.usage import Usage
from rlm_kernel.agent.models.model import Completion, Message, Model
from rlm_kernel.agent.models.retrying import pause_before_retry
from rlm_kernel.agent.models.terms import terms_of
from rlm_kernel.agent.partial_answers import PartialAnswers
from rlm_kernel.agent.root_task import RootTask
from rlm_kernel.agent.tools import Toolbox
from rlm_kernel.errors import BudgetExceeded, ConfigurationError, ModelError


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How far a run may go, and how it speaks to its model.

    `max_iterations`: turns of the model before it is made to answer. `max_depth`: 0, the model
    works alone; 1, its code may ask models; from 2, its code may start runs that are one less deep.
    `cell_timeout_s`: seconds that one block of code may take, its sub-calls included.
    `output_limit`: characters of a block's output that the model sees. `history_limit`: characters
    of the conversation beyond which the oldest turns are left out, or summarised by the model
    (`compaction`). `max_output_tokens`: the longest reply. `parallel_calls`: model calls of the
    whole tree at one time, and child runs of one depth, unless `parallel_runs` says how many of
    these. `retries`: how often a model call is made again that failed for a reason which may pass.
    `session_wait_s`: seconds that a child run waits where no manager has room for its session.
    `prompts`: wordings for large or for small models; `system_prompt`: a text of your own instead.
    `context_limit`: bytes that a context may have. `budget`: what the whole tree may take.
    """

    max_iterations: int = 20
    max_depth: int = 1
    cell_timeout_s: float = 300.0
    output_limit: int = 20_000
    history_limit: int = 400_000
    max_output_tokens: int | None = None
    parallel_calls: int = 64
    parallel_runs: int | None = None
    retries: int = 2
    session_wait_s: float = 60.0
    prompts: Literal["large", "small"] = "large"
    system_prompt: str | None = None
    compaction: Compaction = "leave_out"
    context_limit: int = 256 << 20
    budget: Budget = field(default_factory=Budget)

    def __post_init__(self) -> None:
        least = {"max_iterations": 1, "max_depth": 0, "output_limit": 100, "parallel_calls": 1}
        for name, minimum in {**least, "retries": 0}.items():
            if getattr(self, name) < minimum:
                raise ConfigurationError(f"{name} must be at least {minimum}")
        if self.parallel_runs is not None and self.parallel_runs < 1:
            raise ConfigurationError("parallel_runs must be at least 1")
        if not self.cell_timeout_s > 0:
            raise ConfigurationError("cell_timeout_s must be more than 0")


@dataclass(frozen=True, slots=True)
class Setting:
    """One tree of runs. Made inside the event loop that the runs use.

    `costs` sums the calls of this tree and of others. Each of the methods that raise BudgetExceeded
    also ends the `root` task, so that no code of a session can go on in spite of it.
    """

    model: Model
    recursive_model: Model
    options: RunOptions
    factory: REPLFactory
    costs: CostRecord
    on_event: Callable[[Event], None]
    tools: Toolbox = field(default_factory=Toolbox)
    root: RootTask = field(init=False)
    _ledger: Ledger = field(init=False)
    _partial_answers: PartialAnswers = field(init=False, default_factory=PartialAnswers)
    _slots: asyncio.Semaphore = field(init=False)
    _rooms: dict[int, asyncio.Semaphore] = field(init=False, default_factory=dict)
    _numbers: itertools.count[int] = field(init=False, default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        ledger = Ledger(self.options.budget, CostRecord(self.costs))
        object.__setattr__(self, "_ledger", ledger)
        object.__setattr__(self, "root", RootTask(self.options.budget.seconds))
        object.__setattr__(self, "_slots", asyncio.Semaphore(self.options.parallel_calls))

    def emit(self, event: Event) -> None:
        """Tell whoever watches."""
        self._partial_answers.see(event)
        self.on_event(event)

    def usage(self) -> Usage:
        """What the tree has taken by now."""
        return self._ledger.usage()

    def partial_answer(self, run: str) -> str | None:
        """The best there is of a run that gave no answer; see `PartialAnswers.of`."""
        return self._partial_answers.of(run)

    def room_for_children(self, run: str) -> asyncio.Semaphore:
        """What each child of `run` holds while it runs.

        One for each depth: those that wait for their children do not keep these from running.
        """
        limit = self.options.parallel_runs or self.options.parallel_calls
        return self._rooms.setdefault(run.count("."), asyncio.Semaphore(limit))

    def next_call(self) -> int:
        """A number for a sub-call, unique in the tree."""
        return next(self._numbers)

    def begin_turn(self) -> None:
        """Count a turn. Raises BudgetExceeded."""
        with self._ending_the_tree():
            self._ledger.begin_turn()

    def cell_finished(self, run: str, *, ok: bool) -> None:
        """Count a cell. Raises BudgetExceeded."""
        with self._ending_the_tree():
            self._count(run, failed=not ok)

    async def complete(self, run: str, model: Model, messages: Sequence[Message]) -> Completion:
        """Call a model for `run` when it is its turn, once more where that may help.

        Each try is in the ledger. Raises ModelError, BudgetExceeded, ConfigurationError.
        """
        for tries in itertools.count(1):
            try:
                with self._ending_the_tree():
                    return await self._try(run, model, messages)
            except ModelError as error:
                pause = pause_before_retry(error, tries, self.options.retries)
                if pause is None:
                    raise
            await asyncio.sleep(pause)
        raise AssertionError("unreachable")

    async def _try(self, run: str, model: Model, messages: Sequence[Message]) -> Completion:
        call = Call(model.name, messages, await terms_of(model), self.options.max_output_tokens)
        async with self._slots:
            reservation = await self._ledger.reserve(call)
            try:
                completion = await model.complete(
                    messages, max_output_tokens=reservation.output_tokens
                )
            except BaseException as error:
                uncertain = error.may_have_cost if isinstance(error, ModelError) else True
                self._ledger.settle_failed(reservation, may_have_cost=uncertain)
                if isinstance(error, ModelError):
                    self._count(run, failed=True)
                raise
            self._ledger.settle(reservation, completion)
        self._count(run, failed=False)
        return completion

    def _count(self, run: str, *, failed: bool) -> None:
        try:
            if failed:
                self._ledger.count_error()
        finally:
            self.emit(LedgerUpdated(run, self._ledger.usage()))

    @contextmanager
    def _ending_the_tree(self) -> Iterator[None]:
        try:
            yield
        except BudgetExceeded as error:
            self.root.stop(error)
            raise
