"""What happens during a run, as it happens: the typed events of `RLM_REPL.astream`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rlm_kernel.agent.context import ContextFile
from rlm_kernel.agent.ledger.usage import Usage
from rlm_kernel.agent.models.model import Message

OutputKind = Literal["stdout", "stderr", "display", "result", "error", "clear"]
AnswerSource = Literal["FINAL", "FINAL_VAR", "answer", "text", "forced"]
"""`SUBMIT` counts as `FINAL`."""


@dataclass(frozen=True, slots=True)
class RunEvent:
    """What every event carries.

    `run` names the run within its tree: "0" is the root, "0.2" the second child that it started
    with rlm_query, and so on. `at` is when it happened, in seconds since 1970.
    """

    run: str
    at: float = field(default_factory=time.time, kw_only=True, repr=False, compare=False)

    @property
    def depth(self) -> int:
        """0 for the root run, 1 for its children, ..."""
        return self.run.count(".")


@dataclass(frozen=True, slots=True)
class RunStarted(RunEvent):
    """A run begins: a question to `model` about a context of type `context_type`.

    `context_note` tells its size in words. `depth_left` is what is left of `max_depth`. `context`
    is the context itself, as it goes into the session; `tools` have a `name`, `signature` and `doc`
    each. `question` is its number in a persistent conversation, from 1.
    """

    model: str
    query: str
    context_type: str
    context_note: str
    turns: int
    depth_left: int
    context: ContextFile | None = field(default=None, repr=False, compare=False)
    tools: tuple[Mapping[str, str], ...] = field(default=(), repr=False, compare=False)
    question: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class SessionOpened(RunEvent):
    """The session that will run the code is open.

    `connection` is its Jupyter connection info, with the key: what a client needs to attach.
    """

    session_id: str
    connection: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TurnStarted(RunEvent):
    """The model is asked for turn `turn` of at most `turns`, counted from 1.

    `messages` is the whole conversation that it is sent.
    """

    turn: int
    turns: int
    messages: tuple[Message, ...] = field(default=(), repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class ModelReplied(RunEvent):
    """The model's whole reply of a turn, and what the call took.

    `cost_usd` is None where no price is known.
    """

    turn: int
    text: str
    input_tokens: int = field(default=0, compare=False)
    output_tokens: int = field(default=0, compare=False)
    cost_usd: float | None = field(default=None, compare=False)
    duration_s: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class CodeStarted(RunEvent):
    """Block `block` (from 1) of the reply starts to run."""

    turn: int
    block: int
    code: str


@dataclass(frozen=True, slots=True)
class RichOutput:
    """An output as the kernel published it: the type of Jupyter's message, and its content."""

    message: str
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class OutputWritten(RunEvent):
    """A piece of what the running code shows, in order.

    `rich` is there for what is more than text: displays, results, errors, and `clear`, by which the
    code takes back what it has shown. Beyond 16 MB of one block it is left out.
    """

    turn: int
    kind: OutputKind
    text: str
    rich: RichOutput | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class CodeFinished(RunEvent):
    """The block has run. `state` says what became of the session's variables.

    `answered` says that it gave the run's answer, `execution_count` is its number in the session.
    """

    turn: int
    block: int
    ok: bool
    state: str
    timed_out: bool
    duration_s: float
    answered: bool = field(default=False, compare=False)
    execution_count: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class HostCallAnswered(RunEvent):
    """The running code called a function outside of its session, and this is what it was given.

    `args` and `value` are what JSON can hold. `error` is what the session is told of the exception
    that the call ended with instead: its `ename`, its `evalue` and so on. Whatever the function is,
    it is called in this way: a sub-call is told of by its own events too.
    """

    name: str
    args: Mapping[str, Any] = field(repr=False)
    value: Any = field(repr=False)
    error: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class SubCallStarted(RunEvent):
    """The running code asked a model (or a child run) something. `call` is unique in the tree.

    `child` is the name of the run that is to answer, None where a model answers by itself.
    """

    call: int
    function: str
    model: str
    prompt: str
    child: str | None = None


@dataclass(frozen=True, slots=True)
class SubCallFinished(RunEvent):
    """A sub-call ended: with a reply, or with the reason why there is none.

    The tokens and the money are what the ledger has for it: None where no model replied, and where
    a child run did, whose calls have their own. `cost_usd` is None also where no price is known.
    """

    call: int
    reply: str | None
    error: str | None
    duration_s: float
    input_tokens: int | None = field(default=None, compare=False)
    output_tokens: int | None = field(default=None, compare=False)
    cost_usd: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class ToolCallStarted(RunEvent):
    """The running code called a tool of the agent's. `call` is unique in the tree.

    `arguments` is how the call would be written, shortened.
    """

    call: int
    tool: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolCallFinished(RunEvent):
    """A tool returned, `value` shortened, or `error` says why it did not."""

    call: int
    value: str | None
    error: str | None
    duration_s: float


@dataclass(frozen=True, slots=True)
class LedgerUpdated(RunEvent):
    """What the whole tree has taken by now. It follows each model call and each cell."""

    usage: Usage


@dataclass(frozen=True, slots=True)
class AnswerGiven(RunEvent):
    """The run's answer.

    `forced` says that the model had used up its turns and was made to answer; `turns` counts the
    turns it took, the forced one included. `value` is the answer as the type that was asked for;
    without one it is the text. `usage` is what the whole tree took by then.
    """

    text: str
    source: AnswerSource
    turns: int
    forced: bool = False
    value: Any = field(default=None, compare=False)
    usage: Usage = field(default_factory=Usage, compare=False)


@dataclass(frozen=True, slots=True)
class RunFailed(RunEvent):
    """The run ends without an answer; what it raises has this `code` (see `rlm_kernel.errors`).

    `partial_answer` is the best there was by then.
    """

    code: str
    message: str
    partial_answer: str | None = None
    usage: Usage = field(default_factory=Usage, compare=False)


Event = (
    RunStarted
    | SessionOpened
    | TurnStarted
    | ModelReplied
    | CodeStarted
    | OutputWritten
    | CodeFinished
    | HostCallAnswered
    | SubCallStarted
    | SubCallFinished
    | ToolCallStarted
    | ToolCallFinished
    | LedgerUpdated
    | AnswerGiven
    | RunFailed
)
