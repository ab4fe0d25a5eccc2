"""The steps of a run as server-sent events: their names and their messages.

They are the events of `RLM_REPL.astream` without what is too large, or not for clients: the
conversations, and the keys of sessions.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, ConfigDict

from rlm_kernel.agent import events
from rlm_kernel.agent.ledger.usage import Usage
from rlm_kernel.agent.service.wire import InferAnswer, RunFault, RunUsage
from rlm_kernel.http.events import EventMessages
from rlm_kernel.http.messages import Wire


def _usage(value: object) -> object:
    return RunUsage.of(value) if isinstance(value, Usage) else value


class Step(Wire):
    """What every step has: `run` is the place in the tree, "0" for the root, "0.1" for a child."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    run: str


class RunStarted(Step):
    """A run begins. `turns` is how many it may have, `depth_left` what is left of `max_depth`."""

    model: str
    query: str
    context_type: str
    context_note: str
    turns: int
    depth_left: int


class SessionOpened(Step):
    """The session that runs the code is open."""

    session_id: str


class TurnStarted(Step):
    """The model is asked for turn `turn` of at most `turns`; beyond them it is made to answer."""

    turn: int
    turns: int


class ModelReplied(Step):
    """The model's whole reply, and what the call took; without a known price it has no cost."""

    turn: int
    text: str
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    duration_s: float


class CodeStarted(Step):
    """Block `block` of the reply starts to run."""

    turn: int
    block: int
    code: str


class OutputWritten(Step):
    """A piece of what the code shows: `stdout`, `stderr`, `display`, `result` or `error`."""

    turn: int
    kind: str
    text: str


class CodeFinished(Step):
    """The block has run; `state` is what became of the variables."""

    turn: int
    block: int
    ok: bool
    state: str
    timed_out: bool
    duration_s: float


class SubCallStarted(Step):
    """The code asked a model, or, where there is a `child`, a run of its own."""

    call: int
    function: str
    model: str
    prompt: str
    child: str | None


class SubCallFinished(Step):
    """A sub-call ended, with a reply or with an error."""

    call: int
    reply: str | None
    error: str | None
    duration_s: float


class LedgerUpdated(Step):
    """What the whole tree took by now."""

    usage: Annotated[RunUsage, BeforeValidator(_usage)]


class AnswerGiven(Step):
    """A run's answer; the one of run "0" is the answer of all, which `end` tells too."""

    text: str
    source: str
    turns: int
    forced: bool


class RunFailed(Step):
    """A run of the tree ended without an answer."""

    code: str
    message: str
    partial_answer: str | None


STEPS: dict[type[events.RunEvent], type[Step]] = {
    events.RunStarted: RunStarted,
    events.SessionOpened: SessionOpened,
    events.TurnStarted: TurnStarted,
    events.ModelReplied: ModelReplied,
    events.CodeStarted: CodeStarted,
    events.OutputWritten: OutputWritten,
    events.CodeFinished: CodeFinished,
    events.SubCallStarted: SubCallStarted,
    events.SubCallFinished: SubCallFinished,
    events.LedgerUpdated: LedgerUpdated,
    events.AnswerGiven: AnswerGiven,
    events.RunFailed: RunFailed,
}

_WORD_START = re.compile(r"(?<!^)(?=[A-Z])")
_NAME_OF = {kind: _WORD_START.sub("_", kind.__name__).lower() for kind in STEPS.values()}

EVENTS = EventMessages(
    "Server-sent events, each with a message on one line as its data: the steps of the run as they "
    "happen, and last `end` with the answer, or `fault` where there is none. A comment comes every "
    "5 seconds in which nothing else does.",
    {**{name: kind for kind, name in _NAME_OF.items()}, "end": InferAnswer, "fault": RunFault},
)


def step_of(event: events.Event) -> tuple[str, Step] | None:
    """The name and the message that a run's event becomes, if it is one that is told."""
    kind = STEPS.get(type(event))
    return None if kind is None else (_NAME_OF[kind], kind.model_validate(event))
