"""The events of one execution, gathered into one result."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

from rlm_kernel.sandbox.events import Event, Reply, State


class ExecutionError(BaseModel):
    """An exception: its class name, its text, and the lines of its traceback."""

    ename: str
    evalue: str
    traceback: list[str]


class ExecutionResult(BaseModel):
    """What running a piece of code came to.

    `result` is the plain text of the last expression's value, `display` holds the mime bundles
    that the code displayed, `duration_ms` is from sending the code to its reply, and `state` says
    what became of the session's variables.
    """

    status: Literal["ok", "error", "timeout"]
    stdout: str = ""
    stderr: str = ""
    result: str | None = None
    display: list[dict[str, Any]] = []
    error: ExecutionError | None = None
    execution_count: int | None = None
    duration_ms: float = 0.0
    state: State = "kept"


class Capture:
    """Takes the events of one request; `result` puts them together with the reply."""

    def __init__(self) -> None:
        self._streams: dict[str, list[str]] = {"stdout": [], "stderr": []}
        self._result: str | None = None
        self._display: list[dict[str, Any]] = []

    def __call__(self, event: Event) -> None:
        content = event.content
        if event.kind == "stream" and content["name"] in self._streams:
            self._streams[content["name"]].append(content["text"])
        elif event.kind == "execute_result":
            self._result = str(content["data"].get("text/plain", ""))
        elif event.kind == "display_data":
            self._display.append(content["data"])

    def result(self, reply: Reply, duration_ms: float) -> ExecutionResult:
        content = reply.content
        failed = content.get("status") != "ok"
        return ExecutionResult(
            status="timeout" if reply.timed_out else "error" if failed else "ok",
            stdout="".join(self._streams["stdout"]),
            stderr="".join(self._streams["stderr"]),
            result=self._result,
            display=self._display,
            error=self._error(content) if failed else None,
            execution_count=content.get("execution_count"),
            duration_ms=round(duration_ms, 3),
            state=reply.state,
        )

    @staticmethod
    def _error(content: dict[str, Any]) -> ExecutionError:
        return ExecutionError(
            ename=str(content.get("ename", "Error")),
            evalue=str(content.get("evalue", "")),
            traceback=[str(line) for line in content.get("traceback", [])],
        )
