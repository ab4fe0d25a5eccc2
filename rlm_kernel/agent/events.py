"""What happens during a run, as it happens: the typed events of `RLM_REPL.astream`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

OutputKind = Literal["stdout", "stderr", "display", "result", "error"]
AnswerSource = Literal["FINAL", "FINAL_VAR", "answer", "text", "forced"]


@dataclass(frozen=True, slots=True)
class RunEvent:
    """What every event carries.

    `run` names the run within its tree: "0" is the root, "0.2" the second child that it started
    with rlm_query, and so on.
    """

    run: str

    @property
    def depth(self) -> int:
        """0 for the root run, 1 for its children, ..."""
        return self.run.count(".")


@dataclass(frozen=True, slots=True)
class SessionOpened(RunEvent):
    """The session that will run the code is open.

    `connection` is its Jupyter connection info, with the key: what a client needs to attach.
    """

    session_id: str
    connection: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TurnStarted(RunEvent):
    """The model is asked for turn `turn` of at most `turns`, counted from 1."""

    turn: int
    turns: int


@dataclass(frozen=True, slots=True)
class ModelReplied(RunEvent):
    """The model's whole reply of a turn."""

    turn: int
    text: str


@dataclass(frozen=True, slots=True)
class CodeStarted(RunEvent):
    """Block `block` (from 1) of the reply starts to run."""

    turn: int
    block: int
    code: str


@dataclass(frozen=True, slots=True)
class OutputWritten(RunEvent):
    """A piece of what the running code shows, in order."""

    turn: int
    kind: OutputKind
    text: str


@dataclass(frozen=True, slots=True)
class CodeFinished(RunEvent):
    """The block has run. `state` says what became of the session's variables."""

    turn: int
    block: int
    ok: bool
    state: str
    timed_out: bool
    duration_s: float


@dataclass(frozen=True, slots=True)
class SubCallStarted(RunEvent):
    """The running code asked a model (or a child run) something. `call` is unique in the tree."""

    call: int
    function: str
    model: str
    prompt: str


@dataclass(frozen=True, slots=True)
class SubCallFinished(RunEvent):
    """A sub-call ended: with a reply, or with the reason why there is none."""

    call: int
    reply: str | None
    error: str | None
    duration_s: float


@dataclass(frozen=True, slots=True)
class AnswerGiven(RunEvent):
    """The run's answer.

    `forced` says that the model had used up its turns and was made to answer; `turns` counts the
    turns it took, the forced one included.
    """

    text: str
    source: AnswerSource
    turns: int
    forced: bool = False


Event = (
    SessionOpened
    | TurnStarted
    | ModelReplied
    | CodeStarted
    | OutputWritten
    | CodeFinished
    | SubCallStarted
    | SubCallFinished
    | AnswerGiven
)
