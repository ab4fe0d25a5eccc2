"""A language model for tests: it answers from a script, over real HTTP.

`ScriptedModelServer` speaks the OpenAI chat-completions protocol (without streaming) on a free
port of 127.0.0.1. It hands out scripted replies in the order in which requests arrive, keeps
every request, and can fail or stall on demand.

    with ScriptedModelServer(["```python\\nprint(1)\\n```", "FINAL(1)"]) as server:
        model = LiteLLMModel(server.model_name, api_base=server.base_url, api_key="test")
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Reply:
    """A completion. Token counts that are not given are counted as words."""

    text: str
    input_tokens: int | None = None
    output_tokens: int | None = None
    finish_reason: str = "stop"


@dataclass(frozen=True, slots=True)
class Failure:
    """An HTTP error in the protocol's form; `retry_after` seconds are in its header of that name.

    429 and those from 500 on are tried again by an agent that is not told otherwise.
    """

    status: int = 500
    message: str = "scripted failure"
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Stall:
    """No answer at all: the request hangs until the client hangs up or the server closes."""


@dataclass(frozen=True, slots=True)
class Delayed:
    """A reply that comes after so many seconds; others are answered meanwhile."""

    reply: str | Reply
    seconds: float


@dataclass(frozen=True, slots=True)
class HangUp:
    """The connection ends without an answer."""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One request as it arrived; the names of its headers are written `Like-This`."""

    index: int
    body: dict[str, Any]
    headers: dict[str, str]

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages, oldest first."""
        return list(self.body.get("messages", []))

    @property
    def last(self) -> str:
        """The content of the last message."""
        return str(self.messages[-1]["content"])


Step = str | Reply | Failure | Stall | HangUp | Delayed
Script = Iterable[Step] | Callable[[ChatRequest], Step]


class ScriptedModelServer:
    """An OpenAI-compatible server that follows a script; a context manager.

    `script` is the replies in order, or a callable that makes each reply from its request (called
    on the server's threads, for one request at a time). A request past the end of the script is
    answered with status 400 and a message that says so. `port` 0 is a free one.
    """

    model_name = "openai/scripted"

    def __init__(self, script: Script = (), *, port: int = 0) -> None:
        self._next_step = script if callable(script) else _steps_in_order(script)
        self._requests: list[ChatRequest] = []
        self._hangups = 0
        self._changed = threading.Condition()
        self._closing, self._close_now = os.pipe()
        self._http = _HTTPServer(self, port)
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, name="scripted-model"
        )
        self._thread.start()
        self._closed = False

    @property
    def base_url(self) -> str:
        """The address to give a client as its API base."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    @property
    def requests(self) -> list[ChatRequest]:
        """Every chat request so far, in order of arrival."""
        with self._changed:
            return list(self._requests)

    def wait_for_requests(self, count: int, timeout: float = 10.0) -> None:
        """Return once `count` requests have arrived. Raises TimeoutError after `timeout` s."""
        self._wait(lambda: len(self._requests) >= count, f"{count} requests", timeout)

    def wait_for_hangups(self, count: int = 1, timeout: float = 10.0) -> None:
        """Return once clients gave up on `count` requests that waited. Raises TimeoutError."""
        self._wait(lambda: self._hangups >= count, f"{count} hang-ups", timeout)

    def close(self) -> None:
        """Stop, ending stalled requests too. May be called again."""
        if self._closed:
            return
        self._closed = True
        os.close(self._close_now)
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
        os.close(self._closing)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _wait(self, reached: Callable[[], bool], wanted: str, timeout: float) -> None:
        with self._changed:
            if not self._changed.wait_for(reached, timeout):
                raise TimeoutError(f"no {wanted} within {timeout} s")

    def _step_for(self, body: dict[str, Any], headers: dict[str, str]) -> Step:
        with self._changed:
            request = ChatRequest(len(self._requests), body, headers)
            self._requests.append(request)
            self._changed.notify_all()
            try:
                return self._next_step(request)
            except Exception as error:  # the script is a test's code: its client shall see it
                return Failure(400, f"the script raised {error!r}")

    def _stall(self, connection: socket.socket, seconds: float | None = None) -> bool:
        """Whether the time passed while the client waited and the server was open."""
        watched: list[int] = [connection.fileno(), self._closing]
        readable, _, _ = select.select(watched, [], [], seconds)
        if connection.fileno() in readable:
            with self._changed:
                self._hangups += 1
                self._changed.notify_all()
        return not readable


def _steps_in_order(script: Iterable[Step]) -> Callable[[ChatRequest], Step]:
    steps = iter(list(script))

    def next_step(request: ChatRequest) -> Step:
        past_end = f"the script has no reply for request {request.index}"
        return next(steps, Failure(400, past_end))

    return next_step


class _HTTPServer(ThreadingHTTPServer):
    daemon_threads = False  # server_close() joins them, so that no test leaks a thread
    request_queue_size = 128  # else many clients at once wait a second for the system's next try

    def __init__(self, owner: ScriptedModelServer, port: int) -> None:
        self.owner = owner
        super().__init__(("127.0.0.1", port), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _HTTPServer
    timeout = 10  # s of silence in which a client must send its request

    def do_POST(self) -> None:
        body = self._read_json()
        if body is None:
            self._answer(400, _error_body("the body is not a JSON object"))
        elif not self.path.endswith("/chat/completions"):
            self._answer(404, _error_body(f"no such path: {self.path}"))
        else:
            self._play(self.server.owner._step_for(body, self._title_cased_headers()), body)

    def _title_cased_headers(self) -> dict[str, str]:
        return {name.title(): value for name, value in self.headers.items()}

    def _read_json(self) -> dict[str, Any] | None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            body = json.loads(raw)
        except ValueError:
            return None
        return body if isinstance(body, dict) else None

    def _play(self, step: Step, body: dict[str, Any]) -> None:
        if isinstance(step, Stall):
            self.close_connection = True
            self.server.owner._stall(self.connection)
        elif isinstance(step, HangUp):
            self.close_connection = True
        elif isinstance(step, Delayed):
            self.close_connection = True
            if self.server.owner._stall(self.connection, step.seconds):
                self._play(step.reply, body)
        elif isinstance(step, Failure):
            pause = step.retry_after
            headers = {} if pause is None else {"Retry-After": f"{pause:g}"}
            self._answer(step.status, _error_body(step.message), headers)
        else:
            reply = Reply(step) if isinstance(step, str) else step
            self._answer(200, _completion_body(reply, body))

    def _answer(
        self, status: int, content: dict[str, Any], headers: Mapping[str, str] | None = None
    ) -> None:
        payload = json.dumps(content).encode()
        with contextlib.suppress(ConnectionError):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(payload)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a test's output is its own."""


def _error_body(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "scripted", "code": None}}


def _completion_body(reply: Reply, body: dict[str, Any]) -> dict[str, Any]:
    prompt_words = sum(len(str(m.get("content", "")).split()) for m in body.get("messages", []))
    tokens_in = prompt_words if reply.input_tokens is None else reply.input_tokens
    tokens_out = len(reply.text.split()) if reply.output_tokens is None else reply.output_tokens
    return {
        "id": "chatcmpl-scripted",
        "object": "chat.completion",
        "created": 0,
        "model": body.get("model", "scripted"),
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": reply.text},
                "finish_reason": reply.finish_reason,
            }
        ],
        "usage": {
            "prompt_tokens": tokens_in,
            "completion_tokens": tokens_out,
            "total_tokens": tokens_in + tokens_out,
        },
    }
