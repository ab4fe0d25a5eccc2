"""A run as the pieces of a chat's answer."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Literal

from rlm_kernel.agent.service import step_events
from rlm_kernel.agent.service.chat import ChatChunk, ChatDelta, ChatUsage, ChunkChoice
from rlm_kernel.agent.service.run import Ending
from rlm_kernel.agent.service.wire import InferAnswer
from rlm_kernel.errors import RLMKernelError
from rlm_kernel.http.events import EventMessages
from rlm_kernel.http.faults import body_of
from rlm_kernel.http.messages import Wire, as_json

PIECES = EventMessages(
    "Server-sent events without names, each with a piece of the answer as its data; `[DONE]` is "
    "the last. Steps of the run come as `reasoning_content`, the answer as `content`, an error as "
    "`error`.",
    {"message": ChatChunk},
)
DONE = b"data: [DONE]\n\n"

Reason = Literal["stop", "length"]

_PREVIEW = 200


class ChatStream:
    """Makes bytes of steps, and of the end."""

    def __init__(self, model: str, *, usage: bool, typed: bool) -> None:
        self._id = ""
        self._model = model
        self._usage = usage
        self._typed = typed
        self._created = int(time.time())

    def begin(self, run_id: str) -> bytes:
        self._id = f"chatcmpl-{run_id}"
        return self._piece(ChatDelta(role="assistant", content=""))

    def step(self, name: str, message: Wire) -> bytes:
        """A step on the way; nothing where it is not worth a word."""
        text = told(message)
        return self._piece(ChatDelta(reasoning_content=text)) if text else b""

    def end(self, ending: Ending) -> Iterator[bytes]:
        """The answer, or the error."""
        text, reason = answer_of(ending, typed=self._typed)
        if text is None:
            yield _data(as_json(ending.message))
        else:
            yield self._piece(ChatDelta(content=text))
            yield self._chunk([ChunkChoice(delta=ChatDelta(), finish_reason=reason)])
            if self._usage:
                yield self._chunk([], ChatUsage.of(ending.message.usage))
        yield DONE

    def fault(self, error: RLMKernelError) -> bytes:
        """An error that ends the stream before its end."""
        return _data(as_json(body_of(error))) + DONE

    def _piece(self, delta: ChatDelta) -> bytes:
        return self._chunk([ChunkChoice(delta=delta)])

    def _chunk(self, choices: list[ChunkChoice], usage: ChatUsage | None = None) -> bytes:
        chunk = ChatChunk(
            id=self._id,
            created=self._created,
            model=self._model,
            choices=choices,
            usage=usage,
        )
        return _data(as_json(chunk, exclude_none=True))


def answer_of(ending: Ending, *, typed: bool) -> tuple[str | None, Reason]:
    """The text of an answer and why it ends there; of a run that a limit ended, the best by then.

    One that is `typed` is JSON. None where there is none.
    """
    if isinstance(ending.message, InferAnswer):
        value = ending.message.value
        return json.dumps(value, ensure_ascii=False) if typed else ending.message.answer, "stop"
    return ending.message.partial_answer, "length"


def told(step: Wire) -> str:
    """A step in words, for those who look at how a model thinks."""
    match step:
        case step_events.TurnStarted():
            return f"\n[turn {step.turn}]\n"
        case step_events.ModelReplied():
            return f"{step.text}\n"
        case step_events.OutputWritten():
            return step.text
        case step_events.SubCallStarted():
            return f"\n[{step.function}: {step.prompt[:_PREVIEW]}]\n"
        case step_events.SubCallFinished():
            return f"\n[{(step.reply or step.error or '')[:_PREVIEW]}]\n"
    return ""


def _data(data: bytes) -> bytes:
    return b"data: %s\n\n" % data
