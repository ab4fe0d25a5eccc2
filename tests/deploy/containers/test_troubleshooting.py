"""The runbook's table of troubles: each is provoked, and says what the table says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.deploy.containers.engine import Engine
from tests.deploy.rendered import ROOT

pytestmark = [pytest.mark.containers, pytest.mark.timeout(2400), pytest.mark.usefixtures("images")]

_, _, TABLE = (ROOT / "deploy" / "README.md").read_text().partition("## Troubleshooting\n")
TABLE = re.sub(r"\s+", " ", TABLE.partition("\n## ")[0])

CONFINED = (
    *("--network=none", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"),
    *("--pids-limit=1024", "--memory=600m"),
)
ASK = """
import json, sys, urllib.error, urllib.request
method, path, body = json.loads(sys.argv[1])
data = None if body is None else json.dumps(body).encode()
request = urllib.request.Request("http://127.0.0.1:8080" + path, data, method=method)
try:
    answer = urllib.request.urlopen(request)
except urllib.error.HTTPError as error:
    answer = error
print(json.dumps([answer.status, json.loads(answer.read() or b"null")]))
"""


class Manager:
    """A container of the manager's image, asked from inside."""

    def __init__(self, engine: Engine, *settings: str) -> None:
        self._engine = engine
        self.name = "rlm-trouble"
        engine.try_("rm", "--force", "--time=0", self.name)
        options = [f"--env={setting}" for setting in settings]
        engine("run", "--detach", f"--name={self.name}", *CONFINED, *options, "wasm-manager:latest")
        while engine.try_("exec", self.name, "rlm-kernel", "healthcheck").returncode != 0:
            assert engine("inspect", "--format={{.State.Status}}", self.name).strip() == "running"

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        words = ["exec", self.name, "python3", "-c", ASK, json.dumps([method, path, body])]
        status, answer = json.loads(self._engine(*words))
        return status, answer

    def session(self) -> str:
        return str(self.ask("POST", "/session")[1]["session_id"])

    def execute(self, session: str, code: str, **options: object) -> dict[str, Any]:
        status, answer = self.ask("POST", f"/session/{session}/execute", {"code": code, **options})
        assert status == 200, answer
        return dict(answer)

    def close(self) -> None:
        self._engine.try_("rm", "--force", "--time=0", self.name)


@pytest.fixture
def manager(engine: Engine, request: pytest.FixtureRequest) -> Iterator[Manager]:
    manager = Manager(engine, *request.param)
    yield manager
    manager.close()


AS_IN_THE_TABLE = (
    (r"'nope'", "'ID'"),
    (r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b", "ID"),
    (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"),
    (r"idle for 2 s", "idle for 3600 s"),
    (r"are 2 sessions", "are 100 sessions"),
)


def assert_told(status: int, fault: dict[str, Any]) -> None:
    """That the table has the status, the code, and the message with the parts that vary named."""
    message = fault["error"]["message"]
    for pattern, shown in AS_IN_THE_TABLE:
        message = re.sub(pattern, shown, message)
    assert f"{status} `{fault['error']['code']}`: `{message}`" in TABLE


@pytest.mark.parametrize("manager", [("MAX_SESSIONS=2", "SESSION_TTL=2")], indirect=True)
def test_sessions_that_are_not_there_and_one_too_many(manager: Manager) -> None:
    assert_told(*manager.ask("GET", "/session/nope"))
    first, _ = manager.session(), manager.session()
    assert_told(*manager.ask("POST", "/session"))
    status, answer = manager.ask("GET", f"/session/{first}")
    while status == 200:
        status, answer = manager.ask("GET", f"/session/{first}")
    assert_told(status, answer)


@pytest.mark.parametrize("manager", [("RLM_KERNEL_MEMORY_BYTES=268435456",)], indirect=True)
def test_too_much_memory_and_too_much_time(manager: Manager) -> None:
    session = manager.session()
    late = manager.execute(session, "while True: pass", timeout=1)
    assert f'`"status": "{late["status"]}"`' in TABLE
    assert f"`{late['error']['ename']}: {late['error']['evalue']}`" in TABLE
    greedy = manager.execute(session, "bytearray(10**9)")
    assert f"`{greedy['error']['ename']}`" in TABLE
    assert greedy["state"] == "kept"

    several = [manager.session() for _ in range(5)]
    for each in several:
        manager.execute(each, "x = b'1' * 150_000_000")
    after = [manager.execute(each, "len(x)") for each in several]
    assert all(f'"{answer["state"]}"' in TABLE for answer in after if answer["state"] != "kept")
    victims = [answer["stderr"] for answer in after if answer["state"] != "kept"]
    assert victims, "or the container has more memory than it should"
    ended = "the session's process ended"  # before this cell ran, or while it did
    assert all(said.startswith(f"rlm-kernel: {ended}") for said in victims)
    assert f"`{ended} before this cell ran, ...`, or `{ended} while this cell ran, ...`" in TABLE


def test_pyodide_that_is_nowhere(engine: Engine) -> None:
    run = ("run", "--rm", *CONFINED)
    empty = engine.try_(*run, "--env=RLM_KERNEL_CACHE=/tmp/cache", "wasm-manager:latest", "serve")
    assert empty.returncode == 3
    assert (
        "the zygote failed: no source delivered pyodide.asm.wasm, python_stdlib.zip:"
        in empty.stderr
    )
    lacking = engine.try_(*run, "--env=RLM_KERNEL_PRELOAD=attrs", "wasm-manager:latest", "serve")
    assert lacking.returncode == 2
    for said in (
        "the zygote failed: the cache directory /opt/rlm-kernel/cache/packages cannot be used: "
        "[Errno 30] Read-only file system",
        "The cache cannot be written and lacks something",
    ):
        assert said in lacking.stderr
        assert said in TABLE


def test_an_agent_without_a_model(engine: Engine) -> None:
    name, said = "rlm-empty", "the local model: no GGUF file is in /models"
    settings = (f"--name={name}", "--env=MODEL_PATH=/models", "--tmpfs=/models")
    engine("run", "--detach", *CONFINED, *settings, "rlm-inference:latest", "agent")
    try:
        ask = ("exec", name, "rlm-kernel", "healthcheck", "--agent")
        while engine.try_(*ask, "--alive").returncode != 0:
            assert engine("inspect", "--format={{.State.Status}}", name).strip() == "running"
        while said not in (asked := engine.try_(*ask)).stderr:
            assert "is being loaded" in asked.stderr
    finally:
        engine.try_("rm", "--force", "--time=0", name)
    assert f"503 of `/ready`: `{said}`" in TABLE


def test_an_agent_without_a_token(engine: Engine) -> None:
    open_to_all = ("--env=RLM_KERNEL_AGENT_HOST=0.0.0.0", "--env=RLM_KERNEL_MODEL=openai/none")
    done = engine.try_("run", "--rm", *CONFINED, *open_to_all, "rlm-inference:latest", "agent")
    assert done.returncode == 2
    said = "0.0.0.0 is open to other machines: set RLM_KERNEL_AGENT_TOKEN, or listen on 127.0.0.1"
    assert said in done.stderr
    assert said in TABLE
