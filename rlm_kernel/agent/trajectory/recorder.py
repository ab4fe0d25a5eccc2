"""A recorder: the events of a run become its trajectory."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic_core import to_jsonable_python

from rlm_kernel.agent.context import ContextFile, Form
from rlm_kernel.agent.events import (
    AnswerGiven,
    CodeFinished,
    CodeStarted,
    Event,
    HostCallAnswered,
    LedgerUpdated,
    ModelReplied,
    OutputWritten,
    RunFailed,
    RunStarted,
    SessionOpened,
    SubCallFinished,
    SubCallStarted,
    ToolCallFinished,
    ToolCallStarted,
    TurnStarted,
)
from rlm_kernel.agent.ledger.usage import Usage
from rlm_kernel.agent.models.model import Message
from rlm_kernel.agent.trajectory.drafts import BlockDraft, Fields, RunDraft, TurnDraft
from rlm_kernel.agent.trajectory.outputs import CellOutputs
from rlm_kernel.agent.trajectory.room import Room
from rlm_kernel.agent.trajectory.secrets import TOO_DEEP, Scrubber, secrets_of_environment
from rlm_kernel.agent.trajectory.trajectory import Prompt, Trajectory
from rlm_kernel.errors import ConfigurationError
from rlm_kernel.guest.gathering import TOGETHER
from rlm_kernel.guest.recorded import digest_of

CHARACTERS = 64_000_000
CONTEXT_BYTES = 32_000_000
_TOO_LONG = {"ename": "NotRecorded", "evalue": "the reply was too long to be recorded"}


class Recorder:
    """Takes the events of one tree of runs, in order, and has its trajectory at any time.

    It keeps at most `characters` of text for the whole tree; what is more is cut, and the
    trajectory says how much. Contexts beyond `context_bytes` are not kept.

    `secrets` are values that shall be in no trajectory, beside those that the environment's
    variables hold and the keys of the sessions, which are left out in any case.
    """

    def __init__(
        self,
        secrets: Iterable[str] = (),
        *,
        characters: int = CHARACTERS,
        context_bytes: int = CONTEXT_BYTES,
    ) -> None:
        self._scrubber = Scrubber([*secrets, *secrets_of_environment()])
        self._room = Room(characters, self._scrubber)
        self._context_bytes = context_bytes
        self._contexts: dict[str, ContextFile] = {}
        self._runs: dict[str, RunDraft] = {}
        self._sub_calls: dict[int, Fields] = {}
        self._messages: dict[Message, Message] = {}

    def take(self, event: Event) -> None:
        """Record what happened. It costs microseconds, whatever happened before."""
        if isinstance(event, RunStarted):
            self._begin(event)
        elif (run := self._runs.get(event.run)) is not None:
            self._add(run, event)

    def trajectory(self) -> Trajectory | None:
        """What was recorded by now; None before the run began.

        It works through all of it, contexts included: for a large one in a thread of its own.
        """
        root = next((run for name, run in self._runs.items() if "." not in name), None)
        if root is None:
            return None
        fields = {"root": self._run_fields(root), "cut": self._room.cut}
        return Trajectory.model_validate(fields)

    def _begin(self, event: RunStarted) -> None:
        context = {"type_name": event.context_type, "note": event.context_note, "form": "text"}
        if event.context is not None:
            context["form"] = event.context.form
            if event.context.size <= self._context_bytes:
                self._contexts[event.run] = event.context
        fields = {
            "name": event.run,
            "at": event.at,
            "model": event.model,
            "query": self._room.text(event.query),
            "context": context,
            "max_turns": event.turns,
            "depth_left": event.depth_left,
            "question": event.question,
            "tools": [dict(tool) for tool in event.tools],
            "session_ids": [],
        }
        self._runs[event.run] = run = RunDraft(fields)
        parent = self._runs.get(event.run.rpartition(".")[0])
        if parent is not None:
            parent.children.append(run)

    def _add(self, run: RunDraft, event: Event) -> None:
        match event:
            case SessionOpened():
                self._scrubber.add(str(event.connection.get("key", "")))
                run.fields["session_ids"].append(event.session_id)
            case TurnStarted():
                self._end_turn(run, event.at)
                prompt = tuple(self._message(message) for message in event.messages)
                run.turns.append(TurnDraft({"number": event.turn, "at": event.at}, prompt))
            case ModelReplied() if run.turns:
                self._reply(run.turns[-1], event)
            case CodeStarted() if run.turns:
                run.turns[-1].blocks.append(self._block(run, event))
            case OutputWritten() if run.running_block is not None:
                run.running_block.outputs.add(event)
            case CodeFinished() if run.running_block is not None:
                _finish(run.running_block, event)
            case SubCallStarted() | ToolCallStarted() | HostCallAnswered():
                self._call(run, event)
            case SubCallFinished() | ToolCallFinished():
                self._finish_call(event)
            case LedgerUpdated():
                self._use(event.usage)
            case AnswerGiven() | RunFailed():
                self._end(run, event)

    def _message(self, message: Message) -> Message:
        """The message as it is kept: of one that is in many prompts, once."""
        if message not in self._messages:
            self._messages[message] = Message(message.role, self._room.text(message.content))
        return self._messages[message]

    def _reply(self, turn: TurnDraft, event: ModelReplied) -> None:
        turn.fields |= {
            "reply": self._room.text(event.text),
            "duration_s": event.duration_s,
            **_amounts(event),
        }

    def _block(self, run: RunDraft, event: CodeStarted) -> BlockDraft:
        fields = {"number": event.block, "at": event.at, "code": self._room.text(event.code)}
        return BlockDraft(fields, CellOutputs(self._room, run.displays))

    def _call(
        self, run: RunDraft, event: SubCallStarted | ToolCallStarted | HostCallAnswered
    ) -> None:
        calls = run.calls
        if calls is None:
            return
        if isinstance(event, HostCallAnswered):
            calls.host_calls += self._host_calls(event)
            return
        self._sub_calls[event.call] = call = {"number": event.call, "at": event.at}
        call |= self._asked(event)
        calls.sub_calls.append(call)

    def _asked(self, event: SubCallStarted | ToolCallStarted) -> Fields:
        if isinstance(event, ToolCallStarted):
            arguments = self._room.text(event.arguments)
            return {"function": event.tool, "model": "", "prompt": arguments, "is_tool": True}
        prompt = self._room.text(event.prompt)
        asked = {"function": event.function, "model": event.model, "prompt": prompt}
        return asked | {"child": event.child}

    def _finish_call(self, event: SubCallFinished | ToolCallFinished) -> None:
        call = self._sub_calls.pop(event.call, None)
        if call is not None:
            text = event.reply if isinstance(event, SubCallFinished) else event.value
            reply = None if text is None else self._room.text(text)
            call |= {"reply": reply, "error": event.error, "duration_s": event.duration_s}
            if isinstance(event, SubCallFinished):
                call |= _amounts(event)

    def _host_calls(self, event: HostCallAnswered) -> list[Fields]:
        """The call; of several that were made at once, each by itself."""
        if event.name != TOGETHER or event.error is not None:
            return [self._host_call(event.name, event.args, event.value, event.error)]
        pairs = zip(event.args["calls"], event.value, strict=True)
        return [
            self._host_call(call["name"], call["args"], outcome.get("ok"), outcome.get("error"))
            for call, outcome in pairs
        ]

    def _host_call(
        self, name: str, args: Any, value: Any, error: Mapping[str, str] | None
    ) -> Fields:
        """Arguments that were secret are secret in a repetition too: its code has the mask."""
        digest = digest_of(name, self._scrubber.value(args))
        if error is None and self._room.value(value) is None and value is not None:
            value, error = None, _TOO_LONG
        return {"name": name, "digest": digest, "value": value, "error": error}

    def _use(self, usage: Usage) -> None:
        for run in self._runs.values():
            if "ended_at" not in run.fields:
                run.fields["usage"] = usage.as_dict()

    def _end(self, run: RunDraft, event: AnswerGiven | RunFailed) -> None:
        self._end_turn(run, event.at)
        run.fields["ended_at"] = event.at
        if event.usage != Usage():
            run.fields["usage"] = event.usage.as_dict()
        if isinstance(event, RunFailed):
            run.fields["failure"] = {
                "code": event.code,
                "message": event.message,
                "partial_answer": event.partial_answer,
            }
        else:
            run.fields["answer"] = {
                "text": self._room.text(event.text),
                "source": event.source,
                "turns": event.turns,
                "forced": event.forced,
                "value": _plain(event.value),
            }

    def _end_turn(self, run: RunDraft, at: float) -> None:
        if run.turns:
            run.turns[-1].fields.setdefault("ended_at", at)

    def _run_fields(self, run: RunDraft) -> Fields:
        """All of a run, without secrets."""
        prompts = _Prompts(self._scrubber)
        turns = [
            {**self._scrubber.value(turn.as_dict()), "prompt": prompts.of(turn.prompt)}
            for turn in run.turns
        ]
        fields = self._scrubber.value(run.fields)
        fields["context"] |= {"packed": self._packed(run.fields["name"], fields["context"])}
        return {**fields, "turns": turns, "children": [self._run_fields(c) for c in run.children]}

    def _packed(self, name: str, context: Fields) -> bytes | None:
        file = self._contexts.get(name)
        if file is None or file.form == "handed":
            return None
        try:
            data = b"".join(file.pieces())
        except ConfigurationError:  # of files that are there no more
            return None
        if file.form == "files" and self._scrubber.data(data) != data:
            return None  # an archive cannot be cleaned
        return zlib.compress(_without_secrets(data, context["form"], self._scrubber))


class _Prompts:
    """Prompts without secrets; a message that is in many is cleaned, and kept, once."""

    def __init__(self, scrubber: Scrubber) -> None:
        self._scrubber = scrubber
        self._clean: dict[Message, Prompt] = {}

    def of(self, messages: tuple[Message, ...]) -> list[Prompt]:
        return [self._one(message) for message in messages]

    def _one(self, message: Message) -> Prompt:
        if message not in self._clean:
            content = self._scrubber.text(message.content)
            self._clean[message] = Prompt(role=message.role, content=content)
        return self._clean[message]


def _amounts(event: ModelReplied | SubCallFinished) -> Fields:
    return {
        "input_tokens": event.input_tokens,
        "output_tokens": event.output_tokens,
        "cost_usd": event.cost_usd,
    }


def _finish(block: BlockDraft, event: CodeFinished) -> None:
    block.fields |= {
        "finished": True,
        "ok": event.ok,
        "answered": event.answered,
        "state": event.state,
        "timed_out": event.timed_out,
        "duration_s": event.duration_s,
        "execution_count": event.execution_count,
    }


def _plain(value: Any) -> Any:
    """An answer's value as JSON can hold it."""
    try:
        return to_jsonable_python(value, fallback=str)
    except ValueError:
        return TOO_DEEP


def _without_secrets(data: bytes, form: Form, scrubber: Scrubber) -> bytes:
    if form == "json":
        return json.dumps(scrubber.value(json.loads(data)), separators=(",", ":")).encode()
    return scrubber.data(data)
