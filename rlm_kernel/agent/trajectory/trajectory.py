"""A run that was recorded, with all runs below it: plain values that JSON can hold."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from rlm_kernel.agent.context import Form
from rlm_kernel.agent.events import AnswerSource

RunStatus = Literal["answered", "failed", "unfinished"]


class Record(BaseModel):
    """What every part of a trajectory is: a frozen value. Times are seconds since 1970."""

    model_config = ConfigDict(frozen=True, ser_json_bytes="base64", val_json_bytes="base64")


class RecordedContext(Record):
    """A context as it went into the session; `form` and the bytes are as in `ContextFile`.

    `packed` is the bytes, compressed by zlib. It is None where the context was too large to keep,
    and for files that were gone by then or have a secret in them.
    """

    form: Form
    type_name: str
    note: str
    packed: bytes | None

    def data(self) -> bytes | None:
        """The bytes."""
        return None if self.packed is None else zlib.decompress(self.packed)


class SubCall(Record):
    """What the code asked a model, or the run named `child`; `number` is unique in the tree.

    With `is_tool` it called a function of the agent's: `prompt` is the arguments, as the call would
    be written, and `reply` the value, both shortened; there is no `model`. `reply` and `error` are
    both None where the run ended first. Tokens and `cost_usd` are None where no model replied, or
    where a child run did, `cost_usd` also where no price is known.
    """

    number: int
    at: float
    function: str
    model: str
    prompt: str
    child: str | None = None
    reply: str | None = None
    error: str | None = None
    duration_s: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    is_tool: bool = False


class HostCall(Record):
    """What a function outside of the session gave the code.

    `digest` tells which call it was, as `rlm_kernel.guest.recorded.digest_of` works it out. `value`
    is what JSON can hold, `error` what the session was told of an exception, if there was one.
    """

    name: str
    digest: str
    value: Any = None
    error: dict[str, str] | None = None


class Block(Record):
    """A block of code that ran, `number` counted from 1 within its turn.

    `outputs` are those of a notebook's cell (nbformat 4.5). `answered` says that it gave the run's
    answer. `finished` is false where the run ended first: what is known at its end is then None.
    `cut` counts the characters that were too much to keep.
    """

    number: int
    at: float
    code: str
    outputs: tuple[dict[str, Any], ...] = ()
    sub_calls: tuple[SubCall, ...] = ()
    host_calls: tuple[HostCall, ...] = ()
    finished: bool = False
    ok: bool | None = None
    answered: bool = False
    state: str | None = None
    timed_out: bool = False
    duration_s: float | None = None
    execution_count: int | None = None
    cut: int = 0

    @property
    def repeatable(self) -> bool:
        """Whether it can run again: it came to an end of its own."""
        return self.finished and not self.timed_out and self.state == "kept"


class Prompt(Record):
    """One message of a conversation."""

    role: str
    content: str


class RecordedTurn(Record):
    """A turn: what the model was sent, its reply (None where there was none), what its code did.

    `sub_calls` and `host_calls` are those that no block made: an answer in the text can call too.
    """

    number: int
    at: float
    prompt: tuple[Prompt, ...] = ()
    reply: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = None
    duration_s: float | None = None
    blocks: tuple[Block, ...] = ()
    sub_calls: tuple[SubCall, ...] = ()
    host_calls: tuple[HostCall, ...] = ()
    ended_at: float | None = None


class RecordedAnswer(Record):
    """The run's answer, as `AnswerGiven` has it."""

    text: str
    source: AnswerSource
    turns: int
    forced: bool
    value: Any = None


class Failure(Record):
    """Why there is no answer, as `RunFailed` has it."""

    code: str
    message: str
    partial_answer: str | None = None


class RecordedRun(Record):
    """One run. `name` is its place in the tree, as in `RunEvent`; `children` ran within it.

    `usage` is what the whole tree had taken when this was last told: `Usage.as_dict()`. `question`
    is its number in a persistent conversation.
    """

    name: str
    at: float
    model: str
    query: str
    context: RecordedContext
    max_turns: int
    depth_left: int
    question: int = 1
    tools: tuple[dict[str, str], ...] = ()
    session_ids: tuple[str, ...] = ()
    turns: tuple[RecordedTurn, ...] = ()
    children: tuple[RecordedRun, ...] = ()
    answer: RecordedAnswer | None = None
    failure: Failure | None = None
    usage: dict[str, Any] | None = None
    ended_at: float | None = None

    @property
    def status(self) -> RunStatus:
        """How it ended, or that it did not: it was stopped, or it goes on."""
        if self.answer is not None:
            return "answered"
        return "failed" if self.failure is not None else "unfinished"

    @property
    def blocks(self) -> Iterator[Block]:
        """All its blocks, in order."""
        return (block for turn in self.turns for block in turn.blocks)

    @property
    def sub_calls(self) -> Iterator[SubCall]:
        """All its sub-calls, in order."""
        for turn in self.turns:
            for block in turn.blocks:
                yield from block.sub_calls
            yield from turn.sub_calls

    def child_of(self, call: SubCall) -> RecordedRun | None:
        """The child run that a sub-call of this run started, if it did."""
        return next((child for child in self.children if child.name == call.child), None)


class Trajectory(Record):
    """A tree of runs. `cut` counts the characters that were too much to keep, in all of it."""

    format: Literal["rlm-kernel trajectory 1"] = "rlm-kernel trajectory 1"
    root: RecordedRun
    cut: int = 0

    def run(self, name: str) -> RecordedRun:
        """The run of that name. Raises KeyError."""
        for run in self.runs():
            if run.name == name:
                return run
        raise KeyError(name)

    def runs(self) -> Iterator[RecordedRun]:
        """All runs, each before its children."""
        return _walk(self.root)


def _walk(run: RecordedRun) -> Iterator[RecordedRun]:
    yield run
    for child in run.children:
        yield from _walk(child)
