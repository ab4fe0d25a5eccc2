"""What one method of a handler takes and answers, for the description of the interface."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel

from rlm_kernel import errors
from rlm_kernel.http.events import EventMessages

Content = type[BaseModel] | EventMessages | None
Contents = Mapping[str, Content]
"""A message by its media type; None where it is text or bytes."""

Faults = tuple[type[errors.RLMKernelError], ...]

JSON = "application/json"
BYTES = "application/octet-stream"
TEXT = "text/plain"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A header or a part of the query that changes what is answered; never required."""

    name: str
    place: str
    description: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})


@dataclass(frozen=True, slots=True)
class Operation:
    """`answers` are the contents by status where it goes well, `faults` the errors otherwise.

    `fault_body` is what tells of some of them, beside FaultBody.
    """

    name: str
    summary: str
    answers: Mapping[int, Contents]
    faults: Faults = ()
    body: Contents = field(default_factory=dict)
    body_required: bool = True
    parameters: tuple[Parameter, ...] = ()
    fault_body: type[BaseModel] | None = None


def by_method(**operations: Operation) -> Mapping[str, Operation]:
    """The operations of a handler."""
    return MappingProxyType(operations)


def json_answer(model: type[BaseModel], status: int = 200) -> Mapping[int, Contents]:
    """The answers of an operation that has one, a message."""
    return {status: {JSON: model}}


NOTHING: Mapping[int, Contents] = {204: {}}
"""The answers of an operation that has none to tell of."""
