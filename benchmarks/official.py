"""The official library, `rlms`, as a contender.

Its isolated environments need accounts of services. Of one of them, E2B's, all that the library
itself does can run here, with `Machine` in the place of the service's sandbox: the library's script
for each cell is run by this machine's Python, without a container, and its poll loop asks a broker
on loopback, without a network. What the service and the way to it take comes on top of that.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.model import MODEL, ModelProcess

SANDBOX_FOLDER = "/tmp/"


def run(model: ModelProcess, what: str, turns: int, environment: str, asks: str = "quick") -> str:
    """The response of one completion of so many turns; its code can ask another model."""
    from rlm import RLM

    clients = [
        {"model_name": name, "base_url": model.base_url(says), "api_key": "-", "max_retries": 0}
        for name, says in ((MODEL, what), ("other", asks))
    ]
    rlm = RLM(
        backend="openai",
        backend_kwargs=clients[0],
        other_backends=["openai"],
        other_backend_kwargs=clients[1:],
        environment=environment,
        environment_kwargs={"kernel_mode": "subprocess"} if environment == "ipython" else {},
        max_iterations=turns,
    )
    return str(rlm.completion("some text", root_prompt="What is it?").response)


@contextmanager
def isolated() -> Iterator[None]:
    """The library's environment `e2b` works meanwhile, on this machine."""
    service = types.ModuleType("e2b_code_interpreter")
    service.__dict__["Sandbox"] = Machine
    with mock.patch.dict(sys.modules, {service.__name__: service}):
        base = import_module("rlm.environments.e2b_repl").E2BREPL

        class OnThisMachine(base):  # type: ignore[misc, valid-type]
            """All but the setup is the library's."""

            def setup(self) -> None:
                self.sandbox = Machine()
                self.BROKER_PORT = self.sandbox.port
                self.broker_url = f"http://127.0.0.1:{self.sandbox.port}"
                self.poller_thread = threading.Thread(target=self._poll_broker, daemon=True)
                self.poller_thread.start()

        def get_environment(_: str, options: dict[str, Any]) -> Any:
            return OnThisMachine(**options)

        with mock.patch.object(import_module("rlm.core.rlm"), "get_environment", get_environment):
            yield


@dataclass(frozen=True, slots=True)
class Output:
    """What the service says of a command."""

    stdout: str
    stderr: str


class Machine:
    """What the library uses of a service's sandbox: files, commands, and the broker in it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._broker = _Broker(("127.0.0.1", 0), _BrokerHandler)
        self._thread = threading.Thread(target=self._broker.serve_forever)
        self._thread.start()
        self.port: int = self._broker.server_address[1]
        self.files = self.commands = self

    def write(self, path: str, text: str) -> None:
        """A file of the sandbox, whose folder for files is ours here."""
        self._place(path).write_text(text.replace(SANDBOX_FOLDER, f"{self._folder.name}/"))

    def run(self, command: str, timeout: float) -> Output:
        """`python PATH`."""
        script = self._place(command.removeprefix("python "))
        done = subprocess.run(
            [sys.executable, script], capture_output=True, text=True, timeout=timeout
        )
        return Output(done.stdout, done.stderr)

    def kill(self) -> None:
        self._broker.shutdown()
        self._thread.join()
        self._broker.server_close()
        self._folder.cleanup()

    def _place(self, path: str) -> Path:
        return Path(self._folder.name) / path.removeprefix(SANDBOX_FOLDER)


@dataclass(slots=True)
class _Question:
    request: Any
    response: Any = None
    answered: threading.Event = field(default_factory=threading.Event)


class _Broker(ThreadingHTTPServer):
    """The library's broker without Flask: cells enqueue, and wait; the poll loop responds."""

    daemon_threads = True

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.questions: dict[str, _Question] = {}


class _BrokerHandler(BaseHTTPRequestHandler):
    server: _Broker

    def do_GET(self) -> None:
        waiting = [
            {"id": name, "request": each.request}
            for name, each in list(self.server.questions.items())
            if not each.answered.is_set()
        ]
        self._answer({"pending": waiting})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/enqueue":
            question = _Question(body)
            self.server.questions[str(id(question))] = question
            question.answered.wait()
            self._answer(question.response)
        else:
            question = self.server.questions.pop(body["id"])
            question.response = body["response"]
            question.answered.set()
            self._answer({"status": "ok"})

    def _answer(self, content: Any) -> None:
        payload = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""
