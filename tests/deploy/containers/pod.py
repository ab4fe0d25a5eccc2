"""A pod of the base's, run by podman; the test is its kubelet."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from tests.deploy.containers.engine import Engine
from tests.deploy.containers.namespace import Namespace
from tests.deploy.containers.pod_file import played

AGENT, MANAGER = "http://127.0.0.1:8000", "http://127.0.0.1:8080"
TOKEN = "a-token-of-the-tests-agent"
KEY = "sk-a-key-that-no-session-may-see"
READY_SECONDS = 180.0

MODEL_PORT = 9000
"""Nobody else is in the pod's network."""

MODEL_URL = f"http://127.0.0.1:{MODEL_PORT}/v1"
MODEL = {"RLM_KERNEL_MODEL": "openai/scripted", "OPENAI_API_BASE": MODEL_URL}

MODEL_PROGRAM = """
import json, signal, sys
from rlm_kernel.testing import ScriptedModelServer
script = json.loads(sys.argv[1])
def reply(request):
    turn = sum(message["role"] == "assistant" for message in request.messages)
    return script[min(turn, len(script) - 1)]
with ScriptedModelServer(reply, port=int(sys.argv[2])) as server:
    print(server.base_url, flush=True)
    signal.pause()
"""
SCRIPT = ["```python\nprint(len(context))\n```", "FINAL(42)"]


class Pod:
    """Starts at once, and is gone afterwards. `ready` waits as a readiness probe does.

    `model` is what the model says turn by turn, `settings` are variables by container."""

    def __init__(
        self,
        engine: Engine,
        name: str,
        folder: Path,
        *,
        model: list[str] | None = None,
        settings: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self._engine = engine
        self._signalled = 0.0
        self.name = name
        self._closing = ExitStack()
        self._closing.callback(engine.try_, "pod", "rm", "--force", "--time=0", name)
        with ExitStack() as undo:
            undo.callback(self.close)
            self._play(folder, {"rlm-inference": MODEL, **(settings or {})})
            self.network = self._closing.enter_context(Namespace(name, self._first_process()))
            self._start_model(model or SCRIPT)
            undo.pop_all()

    def _play(self, folder: Path, settings: Mapping[str, Mapping[str, str]]) -> None:
        secrets = folder / f"{self.name}-secrets"
        secrets.mkdir(mode=0o755)
        (secrets / "RLM_KERNEL_AGENT_TOKEN").write_text(TOKEN)
        (secrets / "OPENAI_API_KEY").write_text(KEY)
        manifest = played(self.name, str(secrets), settings)
        self.started = time.monotonic()
        self._engine("kube", "play", "--network=none", "-", stdin=manifest, seconds=300)

    def _first_process(self) -> int:
        """One that keeps the pod's network, whatever becomes of the containers."""
        infra = self._engine("pod", "inspect", "--format={{.InfraContainerID}}", self.name).strip()
        return int(self._engine("inspect", "--format={{.State.Pid}}", infra))

    def _start_model(self, script: list[str]) -> None:
        program = [sys.executable, "-c", MODEL_PROGRAM, json.dumps(script), str(MODEL_PORT)]
        process = self._closing.enter_context(self.network.start(program))
        self._closing.callback(process.kill)
        assert process.stdout is not None
        assert process.stdout.readline() == f"{MODEL_URL}\n"

    def container(self, name: str) -> str:
        """What podman calls a container of the manifest."""
        return f"{self.name}-{name}"

    def request(self, method: str, url: str, **options: Any) -> httpx.Response:
        """A request from within the pod, with the agent's token."""
        return self.network.call(httpx.request, method, url, **_options(url, options))

    def begin(self, method: str, url: str, **options: Any) -> Future[httpx.Response]:
        """The same, without waiting for the answer."""
        return self.network.begin(httpx.request, method, url, **_options(url, options))

    def status(self, url: str) -> int:
        """Of an answer; 0 where there is none."""
        try:
            return self.request("GET", url).status_code
        except httpx.HTTPError:
            return 0

    def wait(self, reached: Callable[[], bool], what: str, seconds: float = READY_SECONDS) -> float:
        """Until something is so; how many seconds that took."""
        began = time.monotonic()
        while not reached():
            if time.monotonic() - began > seconds:
                raise AssertionError(f"not within {seconds:g} s: {what}\n{self.logs()}")
            time.sleep(0.1)
        return time.monotonic() - began

    def ready(self) -> float:
        """Waits until the agent is; how many seconds after the start that was."""
        self.wait(lambda: self.status(f"{AGENT}/ready") == 200, "the agent is ready")
        return time.monotonic() - self.started

    def exec(self, name: str, *command: str) -> str:
        return self._engine("exec", self.container(name), *command)

    def inspect(self, name: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = json.loads(self._engine("inspect", self.container(name)))
        return found[0]

    def signal(self, name: str, signal: str) -> None:
        """What a kubelet sends; `ended` counts from here."""
        self._signalled = time.monotonic()
        self._engine("kill", f"--signal={signal}", self.container(name))

    def ended(self, name: str) -> tuple[int, float]:
        """Waits for the end of a container: its exit status, and seconds since the signal."""
        status = int(self._engine("wait", self.container(name)))
        return status, time.monotonic() - self._signalled

    def restart(self, name: str) -> None:
        """Starts a container that has ended."""
        self._engine("wait", self.container(name))
        self._engine("start", self.container(name))

    def processes(self, name: str) -> dict[int, str]:
        """Of a container: the machine's number of each, and its arguments."""
        lines = self._engine("top", self.container(name), "hpid", "args").splitlines()[1:]
        return {int(line.split()[0]): " ".join(line.split()[1:]) for line in lines}

    def logs(self, name: str | None = None) -> str:
        names = [name] if name else ["wasm-manager", "rlm-inference"]
        done = [self._engine.try_("logs", self.container(each)) for each in names]
        return "\n".join(each.stdout + each.stderr for each in done)

    def infer(self, context: str = "x" * 42) -> dict[str, Any]:
        answer = self.request(
            "POST", f"{AGENT}/infer", json={"context": context, "query": "How long is it?"}
        )
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def close(self) -> None:
        """Idempotent."""
        self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _options(url: str, given: dict[str, Any]) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {TOKEN}"} if url.startswith(AGENT) else {}
    return {"timeout": 120, "trust_env": False, "headers": headers} | given
