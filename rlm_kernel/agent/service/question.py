"""What a run is to answer, and how far it may go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from rlm_kernel.agent.answer_type import AnswerType
from rlm_kernel.agent.ledger.budget import Budget
from rlm_kernel.agent.models.model import Message, Model
from rlm_kernel.agent.service.models import Models
from rlm_kernel.agent.service.wire import InferRequest
from rlm_kernel.agent.setting import RunOptions
from rlm_kernel.errors import BadRequest, ConfigurationError
from rlm_kernel.settings import ServiceSettings


@dataclass(frozen=True, slots=True)
class Question:
    """`messages` are what the model is sent where it answers by itself: then it is `direct`."""

    context: object
    query: str
    model: Model
    recursive_model: Model
    options: RunOptions
    messages: Sequence[Message] | None = None
    answer_schema: dict[str, Any] | None = None

    @property
    def direct(self) -> bool:
        return self.messages is not None


class Questions:
    """Makes questions of requests, within what the settings allow."""

    def __init__(self, models: Models, settings: ServiceSettings) -> None:
        self._models = models
        self._settings = settings
        self._budget = Budget(
            cost_usd=settings.budget_usd,
            tokens=settings.budget_tokens,
            seconds=settings.budget_seconds,
        )

    def of(self, request: InferRequest, messages: Sequence[Message] | None = None) -> Question:
        """Raises BadRequest, ModelNotAllowed and NotReady.

        `messages` are a conversation that the model can be sent as it is.
        """
        _check_schema(request.answer_schema)
        choice = self._models.choose(request.model, request.recursive_model)
        return Question(
            request.context,
            request.query,
            choice.model,
            choice.recursive_model,
            self._options(choice.options, request),
            (messages or _conversation(request)) if self._is_direct(request) else None,
            request.answer_schema,
        )

    def _options(self, options: RunOptions, request: InferRequest) -> RunOptions:
        settings = self._settings
        depth = _within("max_depth", request.max_depth, options.max_depth, settings.max_depth)
        turns = _within(
            "max_iterations",
            request.max_iterations,
            options.max_iterations,
            settings.max_iterations,
        )
        budget = request.budget.within(self._budget)
        try:
            return replace(options, max_depth=depth, max_iterations=turns, budget=budget)
        except ConfigurationError as error:
            raise BadRequest(str(error)) from error

    def _is_direct(self, request: InferRequest) -> bool:
        if request.direct and request.answer_schema is not None:
            raise BadRequest("direct: an answer of a type takes a session")
        if request.direct is not None or request.answer_schema is not None:
            return bool(request.direct)
        if not isinstance(request.context, str):
            return False
        return len(request.context) + len(request.query) <= self._settings.direct_characters


def _check_schema(schema: dict[str, Any] | None) -> None:
    try:
        if schema is not None:
            AnswerType.of(schema)
    except ConfigurationError as error:
        raise BadRequest(f"answer_schema: {error}") from error


def _within(name: str, asked: int | None, usual: int, most: int) -> int:
    if asked is not None and asked > most:
        raise BadRequest(f"{name}: at most {most} here")
    return min(usual, most) if asked is None else asked


def _conversation(request: InferRequest) -> list[Message]:
    if not isinstance(request.context, str):
        raise BadRequest("direct: the context must be a string")
    text = f"{request.context}\n\n{request.query}" if request.context else request.query
    return [Message("user", text)]
