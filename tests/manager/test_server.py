"""The life of a manager process, seen from outside: ports, tokens, signals, and what it leaves."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from rlm_kernel.sandbox.seal import missing_layers
from tests.manager.process import ManagerProcess
from tests.processes import alive

TOKEN = "s3cret-of-the-test"
CELL = {"code": "1"}


def serve(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a manager that is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "rlm_kernel", "serve", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
    )


def client_of(manager: ManagerProcess, **options: Any) -> httpx.Client:
    return httpx.Client(base_url=manager.url, trust_env=False, timeout=60, **options)


def wait_until_dead(pids: set[int]) -> None:
    while alive(pids):
        threading.Event().wait(0.02)


@pytest.fixture(scope="module")
def locked() -> Iterator[ManagerProcess]:
    with ManagerProcess(environment={"RLM_KERNEL_TOKEN": TOKEN, "LOG_LEVEL": "DEBUG"}) as process:
        yield process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_closes_everything_and_leaves_no_process(number: int) -> None:
    with ManagerProcess() as manager, client_of(manager) as http:
        sessions = [http.post("/session").json()["session_id"] for _ in range(3)]
        http.get(f"/session/{sessions[0]}/connection")
        below = manager.descendants()
        assert len(below) == 4
        assert manager.stop(number) == 0, manager.log()
        assert alive(below) == set()
        assert "Traceback" not in manager.log()


def test_a_signal_while_the_zygote_starts_leaves_no_process() -> None:
    with ManagerProcess() as manager:
        while not (below := manager.descendants()):
            threading.Event().wait(0.01)
        assert manager.stop() == 0, manager.log()
        assert alive(below) == set()


def test_a_killed_manager_leaves_no_process_whatever_its_sessions_do() -> None:
    """Busy ones, live copies, ones that are stopped, that lost their zygote, and that are ready."""
    with (
        ManagerProcess(environment={"RLM_KERNEL_POOL": "2"}) as manager,
        client_of(manager) as http,
        ThreadPoolExecutor(8) as pool,
    ):
        orphans = [create(http) for _ in range(3)]
        (zygote,) = manager.children()
        os.kill(zygote, signal.SIGKILL)
        originals = [create(http) for _ in range(3)]
        for session in orphans + originals:
            assert http.post(f"{session}/execute", json={"code": "x = 1"}).status_code == 200
        copies = [copy_of(http, session) for session in originals]
        busy = [*orphans[:2], *originals[:2], *copies[:2]]
        for session in busy:
            pool.submit(http.post, f"{session}/execute", json={"code": "while True: pass"})
        while count_busy(http) < len(busy):
            threading.Event().wait(0.01)
        below = manager.descendants()
        for pid in sorted(below)[::2]:
            os.kill(pid, signal.SIGSTOP)
        manager.stop(signal.SIGKILL)
        wait_until_dead(below)


def create(http: httpx.Client) -> str:
    return f"/session/{http.post('/session').json()['session_id']}"


def copy_of(http: httpx.Client, session: str) -> str:
    return f"/session/{http.post(f'{session}/fork').json()['session_id']}"


def count_busy(http: httpx.Client) -> int:
    sessions = http.get("/sessions").json()["sessions"]
    return sum(session["status"] == "busy" for session in sessions)


def test_the_end_of_its_input_stops_a_manager_that_was_told_so() -> None:
    with ManagerProcess("--stop-on-eof") as manager, client_of(manager) as http:
        http.post("/session")
        below = manager.descendants()
        assert manager.process.stdin is not None
        manager.process.stdin.close()
        assert manager.process.wait(timeout=30) == 0
        assert alive(below) == set()


def test_stop_on_eof_without_a_pipe_is_refused() -> None:
    with Path(__file__).open() as file:
        done = subprocess.run(
            [sys.executable, "-m", "rlm_kernel", "serve", "--port", "0", "--stop-on-eof"],
            stdin=file,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("rlm-kernel: error: --stop-on-eof needs a pipe")


def test_a_port_that_is_taken_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = serve("--port", f"{port}")
    assert done.returncode == 2
    assert done.stdout == ""
    expected = f"rlm-kernel: error: cannot listen on 127.0.0.1:{port}: Address already in use\n"
    assert done.stderr == expected


@pytest.mark.parametrize("host", ["0.0.0.0", "::", ""])
def test_without_a_token_it_listens_on_loopback_only(host: str) -> None:
    done = serve("--port", "0", "--host", host)
    assert done.returncode == 2
    assert "set RLM_KERNEL_TOKEN" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_zygote_that_cannot_start_ends_it_with_one_clear_line() -> None:
    done = serve("--port", "0", RLM_KERNEL_CACHE="/proc/no-such-folder")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("rlm-kernel: error: ")


def test_health_needs_no_token_and_all_else_does(locked: ManagerProcess) -> None:
    with client_of(locked) as http:
        assert http.get("/health").status_code == 200
        for answer in (http.get("/ready"), http.post("/session"), http.get("/nothing")):
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert answer.json()["error"]["code"] == "unauthorized"


def test_the_token_opens_and_is_in_no_log(locked: ManagerProcess) -> None:
    with client_of(locked, headers={"Authorization": f"Bearer {TOKEN}"}) as http:
        assert http.post("/session").status_code == 201
        assert http.get(f"/nothing?token={TOKEN}").status_code == 404
    assert "POST /session" in locked.log()
    assert TOKEN not in locked.log()


def test_the_processes_of_sessions_do_not_have_the_token(locked: ManagerProcess) -> None:
    with client_of(locked, headers={"Authorization": f"Bearer {TOKEN}"}) as http:
        http.post("/session")
        (zygote,) = locked.children()
    assert TOKEN.encode() not in Path(f"/proc/{zygote}/environ").read_bytes()


def test_another_name_and_another_site_are_refused(http: httpx.Client) -> None:
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
        answer = http.post("/session", headers=headers)
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "forbidden"
    assert http.get("/sessions").json()["sessions"] == []


def test_health_tells_of_the_zygote_and_ready_runs_a_cell(http: httpx.Client) -> None:
    assert http.post("/session").status_code == 201
    health = http.get("/health").json()
    assert health["unsealed"] == list(missing_layers())
    assert (health["status"], health["zygote"], health["sessions"]) == ("alive", "ready", 1)
    ready = http.get("/ready")
    assert ready.status_code == 200
    assert ready.json()["duration_ms"] > 0
    assert http.get("/health").json()["sessions"] == 1


def test_a_dead_zygote_costs_nobody_anything() -> None:
    with ManagerProcess() as manager, client_of(manager) as http, ThreadPoolExecutor(4) as pool:
        session = f"/session/{http.post('/session').json()['session_id']}"
        http.post(f"{session}/execute", json={"code": "x = 7"})
        (zygote,) = manager.children()
        os.kill(zygote, signal.SIGKILL)
        created = list(pool.map(lambda _: http.post("/session"), range(4)))
        assert [answer.status_code for answer in created] == [201] * 4
        old = http.post(f"{session}/execute", json={"code": "x"})
        assert old.json()["result"] == "7"


def test_sessions_that_outlive_their_zygote_are_reaped() -> None:
    with ManagerProcess() as manager, client_of(manager) as http:
        for _ in range(3):
            http.post(f"/session/{http.post('/session').json()['session_id']}/execute", json=CELL)
        (zygote,) = manager.children()
        os.kill(zygote, signal.SIGKILL)
        while zygote in manager.children():
            threading.Event().wait(0.01)
        assert len(manager.children()) >= 3
        http.post("/session")
        assert http.delete("/sessions").json() == {"deleted": 4}
        while len(manager.descendants()) != 1:
            threading.Event().wait(0.01)
        assert manager.stop() == 0, manager.log()


def test_a_session_that_is_killed_says_so_and_goes_on(
    http: httpx.Client, manager: ManagerProcess
) -> None:
    before = manager.descendants()
    session = f"/session/{http.post('/session').json()['session_id']}"
    (process,) = manager.descendants() - before
    http.post(f"{session}/execute", json={"code": "x = 7"})
    os.kill(process, signal.SIGKILL)
    wait_until_dead({process})
    told, after = (
        http.post(f"{session}/execute", json={"code": "'x' in globals()"}).json() for _ in range(2)
    )
    assert told["state"] in ("lost", "rolled_back")
    assert (after["result"], after["state"]) == (str(told["state"] == "rolled_back"), "kept")


def test_sessions_that_come_and_go_leave_nothing_open(
    http: httpx.Client, manager: ManagerProcess
) -> None:
    def come_and_go() -> None:
        session = f"/session/{http.post('/session').json()['session_id']}"
        http.post(f"{session}/execute", json={"code": "print(1)"})
        http.get(f"{session}/connection")
        http.delete(session)

    come_and_go()
    files = manager.open_files()
    for _ in range(20):
        come_and_go()
    # ZMQ closes its sockets in a thread of its own, a moment after it was told to.
    while manager.open_files() > files:
        threading.Event().wait(0.02)
    wait_until_dead(manager.descendants() - manager.children())
