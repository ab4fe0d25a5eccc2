"""One cell of a run: the kernel's messages become output, host calls and a result."""

from __future__ import annotations

import asyncio
import json
import re
import time
from typing import Any, cast, get_args

from rlm_kernel.agent.environment import (
    Answer,
    CellResult,
    HostCallFailedError,
    OnHostCall,
    OnOutput,
)
from rlm_kernel.agent.events import AnswerSource, OutputKind, RichOutput
from rlm_kernel.agent.session.connection import KernelConnection
from rlm_kernel.guest.answering import ANSWER_TYPE

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_OWN_FRAME = re.compile(r"File \S*/rlm_kernel/guest/")


class Cell:
    """A cell that runs once. `on_output` gets its output in order, without colours.

    `is_furnished` says afterwards whether the session has the functions of the agent; a session
    that somebody restarted has not. It is None after a cell that failed.
    """

    def __init__(
        self, kernel: KernelConnection, on_output: OnOutput, on_host_call: OnHostCall
    ) -> None:
        self._kernel = kernel
        self._on_output = on_output
        self._on_host_call = on_host_call
        self.is_furnished: bool | None = None
        self._asked_for_input = False
        self._started = time.monotonic()

    async def run(self, code: str, timeout_s: float, *, store_history: bool = True) -> CellResult:
        """Run `code`. Raises ConnectionLostError."""
        reply = await self._kernel.execute(
            code,
            on_message=self._show,
            on_input=self._answer,
            timeout_s=timeout_s,
            store_history=store_history,
            expressions={"answer": "_rlm.answered()"},
        )
        content, metadata = reply["content"], reply["metadata"]
        error = answer = None
        if content["status"] == "ok":
            evaluated = content["user_expressions"].get("answer", {})
            self.is_furnished = evaluated.get("status") == "ok"
            answer = _answer(evaluated)
        else:
            error = (str(content.get("ename", "Aborted")), str(content.get("evalue", "")))
        return self.result(
            error=error,
            state=str(metadata.get("state", "kept")),
            answer=answer,
            timed_out=bool(metadata.get("timed_out", False)),
            execution_count=content.get("execution_count"),
        )

    def result(
        self,
        *,
        error: tuple[str, str] | None,
        state: str,
        answer: Answer | None = None,
        timed_out: bool = False,
        execution_count: int | None = None,
    ) -> CellResult:
        """The result, with how long the cell has taken by now."""
        duration = time.monotonic() - self._started
        return CellResult(
            error, answer, state, duration, timed_out, self._asked_for_input, execution_count
        )

    def _show(self, kind: str, content: dict[str, Any]) -> None:
        if kind == "stream":
            self._on_output(content["name"], content["text"])
        elif kind == "execute_result":
            self._show_whole("result", _plain_text(content["data"]) + "\n", kind, content)
        elif kind in ("display_data", "update_display_data"):
            self._show_whole("display", _plain_text(content["data"]) + "\n", kind, content)
        elif kind == "clear_output":
            self._show_whole("clear", "", kind, content)
        elif kind == "error" and content["traceback"]:
            frames = _without_own(content["traceback"])
            text = _ANSI.sub("", "\n".join(frames)) + "\n"
            self._show_whole("error", text, kind, {**content, "traceback": frames})

    def _show_whole(
        self, kind: OutputKind, text: str, message: str, content: dict[str, Any]
    ) -> None:
        self._on_output(kind, text, RichOutput(message, content))

    async def _answer(self, request: dict[str, Any]) -> str:
        match request.get("host_call"):
            case None:
                return await self._refuse_input()
            case {"name": str(name), "args": dict(args)}:
                return await self._call(name, args)
        return json.dumps({"error": {"ename": "BadHostCall", "evalue": "name and args are needed"}})

    async def _call(self, name: str, args: dict[str, Any]) -> str:
        try:
            return json.dumps({"ok": await self._on_host_call(name, args)})
        except HostCallFailedError as failure:
            return json.dumps({"error": failure.as_dict()})

    async def _refuse_input(self) -> str:
        """Nobody is there to type: end the cell, which ends this wait as well."""
        self._asked_for_input = True
        self._kernel.interrupt()
        never: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        return await never


def _without_own(traceback: list[str]) -> list[str]:
    """A traceback without the frames of the session's own code."""
    return [frame for frame in traceback if not _OWN_FRAME.match(_ANSI.sub("", frame))]


def _answer(evaluated: dict[str, Any]) -> Answer | None:
    """What the session says of the cell's answer; its code can make it say anything."""
    match evaluated.get("data", {}).get(ANSWER_TYPE):
        case {"answered": True, "text": str(text), "source": str(source), **more}:
            known = cast("AnswerSource", source) if source in get_args(AnswerSource) else "answer"
            return Answer(text, known, _text(more.get("json")), _text(more.get("problem")))
    return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _plain_text(data: dict[str, Any]) -> str:
    return str(data.get("text/plain", f"<{', '.join(data)}>"))
