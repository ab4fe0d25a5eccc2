"""The other ways to attach to a session, each by the client that goes it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from rlm_kernel.kernel.connection import ConnectionInfo
from tests.manager.jupyter.socket_client import SocketClient, kind_of, text_of
from tests.manager.jupyter_process import JupyterProcess
from tests.manager.process import ManagerProcess
from tests.manager.test_sessions import run
from tests.terminal import Terminal

OWNER, VISITOR = "token-of-the-owner", "token-of-visitors"
SERVER = ("jupyter_server", "--no-browser", "--allow-root", "--port=0")


@pytest.fixture(scope="module")
def locked() -> Iterator[ManagerProcess]:
    """A manager with an owner's token and one for visitors."""
    tokens = {"RLM_KERNEL_TOKEN": OWNER, "RLM_KERNEL_ATTACH_TOKEN": VISITOR}
    with ManagerProcess(environment=tokens) as manager:
        yield manager


@pytest.fixture
def owner(locked: ManagerProcess) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=locked.url, headers=authorization(OWNER), trust_env=False, timeout=60
    ) as client:
        yield client
        client.delete("/sessions")


def authorization(token: str) -> dict[str, str]:
    return {"Authorization": f"token {token}"}


def connection_file(http: httpx.Client, session: str, path: Path) -> Path:
    ConnectionInfo.model_validate(http.get(f"{session}/connection").json()).write(path)
    return path


def test_jupyter_console_on_a_connection_file(
    http: httpx.Client, session: str, tmp_path: Path
) -> None:
    run(http, session, "x = 41")
    file = connection_file(http, session, tmp_path / "connection.json")
    command = [sys.executable, "-m", "jupyter_console", "--existing", str(file)]
    with Terminal(command, {**os.environ, "JUPYTER_CONFIG_DIR": str(tmp_path)}) as console:
        console.until("In [1]: ")
        console.type("x += 1; x\r")
        console.until("]: 42")
    assert run(http, session, "x")["result"] == "42"


@pytest.mark.parametrize(("token", "lives"), [(OWNER, False), (VISITOR, True)])
def test_a_gateway_client_adopts_a_session_and_its_end_detaches_or_ends_it(
    owner: httpx.Client, locked: ManagerProcess, tmp_path: Path, token: str, lives: bool
) -> None:
    kernel = owner.post("/session").json()["session_id"]
    environment = {"JUPYTER_GATEWAY_AUTH_TOKEN": token}
    with JupyterProcess(
        tmp_path, *SERVER, f"--gateway-url={locked.url}", environment=environment
    ) as server:
        assert server.kernels() == []
        assert server.adopt(kernel).status_code == 201
        assert server.kernels() == [kernel]
        with SocketClient(server.url, kernel, v1=False, header=server.headers) as client:
            assert text_of(client.execute("x = 42; print(x)")) == "42\n"
        assert server.http.post(f"/api/kernels/{kernel}/interrupt").status_code == 204
    left = owner.get(f"/session/{kernel}")
    assert left.status_code == (200 if lives else 404)


def test_a_folder_of_connection_files_lists_and_runs_but_does_not_interrupt(
    http: httpx.Client, session: str, tmp_path: Path
) -> None:
    run(http, session, "x = 41")
    connection_file(http, session, tmp_path / "files" / "kernel-session.json")
    folder = [
        "--ServerApp.allow_external_kernels=True",
        f"--ServerApp.external_connection_dir={tmp_path / 'files'}",
    ]
    with JupyterProcess(tmp_path, *SERVER, *folder) as server:
        [kernel] = server.kernels()
        with SocketClient(server.url, kernel, header=server.headers) as client:
            assert text_of(client.execute("print(x + 1)")) == "42\n"
        assert server.http.post(f"/api/kernels/{kernel}/interrupt").status_code == 500
    assert run(http, session, "x")["result"] == "41"


def test_vs_codes_calls_list_a_session_and_run_in_it(
    owner: httpx.Client, locked: ManagerProcess
) -> None:
    """In the order of its Jupyter extension, which asks `/api/sessions` for what runs."""
    session = owner.post("/session").json()["session_id"]
    with httpx.Client(
        base_url=locked.url, headers=authorization(VISITOR), trust_env=False, timeout=60
    ) as code:
        for probe in ("/", "/tree?"):
            assert code.get(probe, follow_redirects=True).status_code in (200, 404)
        assert code.get("/api").json()["version"]
        assert "rlm-kernel" in code.get("/api/kernelspecs").json()["kernelspecs"]
        [listed] = code.get("/api/sessions").json()
        assert listed["kernel"]["id"] == session
        adopted = {**listed, "path": "/notebooks/a-jvsc-1.ipynb", "type": "notebook"}
        assert code.post("/api/sessions", content=json.dumps(adopted)).status_code == 201
        assert code.get(f"/api/kernels/{session}").json()["name"] == "rlm-kernel"
        with SocketClient(locked.url, session, query=f"&token={VISITOR}") as client:
            client.ask("kernel_info_request", {})
            assert text_of(client.execute("print(6 * 7)")) == "42\n"
            client.send("execute_request", {"code": "print('on')\nwhile True: pass"})
            client.until(lambda message: kind_of(message) == "stream")
            assert code.post(f"/api/kernels/{session}/interrupt").status_code == 204
            reply = client.until(lambda message: kind_of(message) == "execute_reply")[-1]
            assert reply["content"]["ename"] == "KeyboardInterrupt"
        for document in code.get("/api/sessions").json():
            assert code.delete(f"/api/sessions/{document['id']}").status_code == 204
    assert owner.get(f"/session/{session}").status_code == 200
