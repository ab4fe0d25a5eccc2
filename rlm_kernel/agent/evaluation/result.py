"""What became of one item under one method, as it is kept in a file."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from rlm_kernel.agent.evaluation.item import ItemName

Key = tuple[str, int, int, str]
"""Task, length, number, method."""


class Failed(BaseModel):
    """Why there is no answer: an error's stable code and its message."""

    model_config = ConfigDict(frozen=True)

    code: str
    message: str


class Spent(BaseModel):
    """What it took. `cost_usd` is None where a call has no known price; `seconds` is wall time."""

    model_config = ConfigDict(frozen=True)

    calls: int = 0
    failed_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = 0.0
    seconds: float = 0.0

    @property
    def tokens(self) -> int:
        """In and out."""
        return self.input_tokens + self.output_tokens


class Result(BaseModel):
    """`score` is None, and `error` is set, where there is no answer.

    `read` is what was found in the answer. `shown` is the part of the context that went into a
    plain prompt, from 0 to 1; None for an RLM, whose session has all of it. `turns` are those of
    the root run.
    """

    model_config = ConfigDict(frozen=True)

    type: Literal["result"] = "result"
    task: str
    length: int
    number: int
    method: str
    kind: str
    score: float | None
    truth: str
    read: str | None = None
    answer: str | None = None
    error: Failed | None = None
    spent: Spent = Spent()
    turns: int | None = None
    shown: float | None = None

    @property
    def key(self) -> Key:
        """What no two results of one file share."""
        return (self.task, self.length, self.number, self.method)


def key_of(name: ItemName, method: str) -> Key:
    """The key of the result that this will have."""
    return (name.task, name.length, name.number, method)
