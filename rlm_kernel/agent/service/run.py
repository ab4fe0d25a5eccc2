"""A run of the service: who asked watches it, and others may look at it later."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

from rlm_kernel import errors, log_fields
from rlm_kernel.agent.environment import REPLFactory
from rlm_kernel.agent.events import AnswerGiven, Event, RunFailed
from rlm_kernel.agent.service.inference import Inference
from rlm_kernel.agent.service.question import Question
from rlm_kernel.agent.service.record import Record
from rlm_kernel.agent.service.step_events import step_of
from rlm_kernel.agent.service.wire import InferAnswer, RunDetails, RunFault, RunSummary, RunUsage
from rlm_kernel.agent.trajectory import Scrubber
from rlm_kernel.http.faults import fault_of
from rlm_kernel.http.handler import FAILED
from rlm_kernel.http.messages import Wire

Status = Literal["running", "answered", "failed", "cancelled"]
Watch = Callable[[str, Wire], None]
AnyWire = TypeVar("AnyWire", bound=Wire)

_RETRY_SECONDS = 5
_SHOWN_QUERY = 1000

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended: with an answer, or with a fault and the error behind it."""

    message: InferAnswer | RunFault
    error: errors.RLMKernelError | None = None


class Run:
    """One question being answered. `watch` is told each step, and the end under `end` or `fault`.

    It begins with the object. It ends of itself, or when it is cancelled. Once it has ended it
    holds nothing of the context but what is in its record.
    """

    def __init__(
        self,
        question: Question,
        factory: REPLFactory,
        record: Record,
        scrubber: Scrubber,
        watch: Watch,
    ) -> None:
        self.id = uuid.uuid4().hex
        self.created_at = time.time()
        self.record = record
        self.status: Status = "running"
        self._scrubber = scrubber
        self._watch = watch
        self._query, self._model = question.query[:_SHOWN_QUERY], question.model.name
        self._direct, self._typed = question.direct, question.answer_schema is not None
        self._began = time.monotonic()
        self._partial: str | None = None
        self._loop = asyncio.get_running_loop()
        self._ending: asyncio.Future[Ending] = self._loop.create_future()
        living = self._live(Inference(question, factory, self._take))
        self._task = self._loop.create_task(living, context=log_fields.context(run_id=self.id))

    @property
    def ended(self) -> bool:
        return self._ending.done()

    @property
    def seconds(self) -> float:
        """Since its beginning."""
        return time.monotonic() - self._began

    async def ending(self) -> Ending:
        """Wait until it has ended, its session gone; whoever waits may be cancelled."""
        return await asyncio.shield(self._ending)

    def cancel(self) -> None:
        """End it at once; its session goes too. Idempotent."""
        # Not before its first step: a task that is cancelled then neither takes it nor says so.
        self._loop.call_soon(self._cancel)

    def when_ended(self, act: Callable[[Ending], None]) -> None:
        self._ending.add_done_callback(lambda ending: act(ending.result()))

    async def gone(self) -> None:
        """Wait until nothing of it is left to do."""
        await asyncio.wait({self._task})

    def summary(self) -> RunSummary:
        return RunSummary.model_validate(self._summary())

    def details(self) -> RunDetails:
        ending = self._ending.result().message if self.ended else None
        return RunDetails(
            **self._summary(),
            steps=self.record.steps(),
            dropped=self.record.dropped,
            answer=ending if isinstance(ending, InferAnswer) else None,
            fault=ending if isinstance(ending, RunFault) else None,
        )

    def _summary(self) -> dict[str, Any]:
        return {
            "run_id": self.id,
            "status": self.status,
            "created_at": self.created_at,
            "query": self._query,
            "model": self._model,
        }

    def _cancel(self) -> None:
        if not self.ended:
            self._task.cancel()

    async def _live(self, inference: Inference) -> None:
        self._ending.set_result(await self._perform(inference))
        del inference
        await self.record.archive()

    async def _perform(self, inference: Inference) -> Ending:
        _log.info("a run begins", extra={"model": self._model})
        try:
            answer = await inference.answer()
            ending = Ending(self._answered(answer, RunUsage.of(inference.usage)))
            self.status = "answered"
        except asyncio.CancelledError:
            error = errors.RunCancelled("the run was ended")
            ending = self._failed(error, RunUsage.of(inference.usage))
            self.status = "cancelled"
        except Exception as raised:
            ending = self._failed(self._told(raised), RunUsage.of(inference.usage))
            self.status = "failed"
        ending = replace(ending, message=self._discreet(ending.message))
        self._tell("end" if ending.error is None else "fault", ending.message)
        code = None if ending.error is None else ending.error.code
        _log.info("a run ended", extra={"status": self.status, "code": code, "s": self.seconds})
        return ending

    def _answered(self, answer: AnswerGiven, usage: RunUsage) -> InferAnswer:
        return InferAnswer(
            run_id=self.id,
            answer=answer.text,
            value=answer.value if self._typed else answer.text,
            source="direct" if self._direct else answer.source,
            turns=answer.turns,
            forced=answer.forced,
            direct=self._direct,
            model=self._model,
            usage=usage,
            duration_ms=self.seconds * 1000,
        )

    def _failed(self, error: errors.RLMKernelError, usage: RunUsage) -> Ending:
        partial = self._partial
        if isinstance(error, errors.BudgetExceeded):
            partial = error.partial_answer or partial
        fault = fault_of(error)
        message = RunFault(error=fault, run_id=self.id, partial_answer=partial, usage=usage)
        # The frames of a traceback, and what an error came from, would keep the context.
        error.__traceback__ = error.__cause__ = error.__context__ = None
        return Ending(message, error)

    def _told(self, error: Exception) -> errors.RLMKernelError:
        """The error as our client is told of it, to whom the manager is none of its business."""
        text = str(error)
        match error:
            case errors.ManagerUnavailable() | errors.TryLater():
                return errors.SandboxUnavailable(f"the manager: {text}", _RETRY_SECONDS)
            case errors.ManagerError():
                return errors.SessionFailed(f"the manager: {text}")
            case errors.ContextTooLarge():
                return errors.BodyTooLarge(text)
            case errors.ConfigurationError():
                return errors.BadRequest(text)
            case errors.AgentError():
                return error
        _log.error("a run failed", exc_info=error)
        return errors.AgentError(FAILED)

    def _take(self, event: Event) -> None:
        if isinstance(event, RunFailed) and not event.depth:
            self._partial = event.partial_answer
        self.record.take(event)
        if (step := step_of(event)) is not None:
            name, message = step
            self._tell(name, self._discreet(message))

    def _discreet(self, message: AnyWire) -> AnyWire:
        """Without secrets, wherever they came from: errors of models may hold keys."""
        return type(message).model_validate(self._scrubber.value(message.model_dump()))

    def _tell(self, name: str, message: Wire) -> None:
        self.record.add(name, message)
        self._watch(name, message)
