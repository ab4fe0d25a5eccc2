"""What a manager that is told to stop still does, and for how long."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest
from jupyter_client.blocking.client import BlockingKernelClient

from tests.manager.process import ManagerProcess
from tests.processes import alive

FOR_EVER = "3600"
ENDS_WHEN_INTERRUPTED = """
try:
    print("within", "reach", flush=True)
    while True:
        pass
except KeyboardInterrupt:
    print("done")
"""


class Draining:
    """A manager that was told to stop while a cell runs that only an interrupt ends."""

    def __init__(self, manager: ManagerProcess, http: httpx.Client, pool: ThreadPoolExecutor):
        self.manager = manager
        self.http = http
        self.session = create(http)
        self.cell: Future[httpx.Response] = pool.submit(
            http.post, f"{self.session}/execute", json={"code": ENDS_WHEN_INTERRUPTED}
        )
        wait_until_interruptible(http, self.session)
        os.kill(manager.pid, signal.SIGTERM)
        while http.get("/ready").status_code == 200:
            threading.Event().wait(0.01)


@contextmanager
def a_manager(seconds: str) -> Iterator[tuple[ManagerProcess, httpx.Client]]:
    with (
        ManagerProcess(environment={"RLM_KERNEL_DRAIN_SECONDS": seconds}) as manager,
        httpx.Client(base_url=manager.url, trust_env=False, timeout=60) as http,
    ):
        yield manager, http


@pytest.fixture
def draining() -> Iterator[Draining]:
    with a_manager(FOR_EVER) as (manager, http), ThreadPoolExecutor(1) as pool:
        try:
            yield Draining(manager, http, pool)
        finally:
            manager.process.kill()


def create(http: httpx.Client) -> str:
    return f"/session/{http.post('/session').json()['session_id']}"


def wait_until_interruptible(http: httpx.Client, session: str) -> None:
    while "within reach" not in http.get(f"{session}/replay").text:
        threading.Event().wait(0.01)


def wait_until_busy(http: httpx.Client, session: str) -> None:
    while http.get(session).json()["status"] != "busy":
        threading.Event().wait(0.01)


def test_it_takes_no_new_session_and_serves_those_that_live_until_no_cell_runs(
    draining: Draining,
) -> None:
    http = draining.http
    for refused in (http.post("/session"), http.get("/ready")):
        assert refused.status_code == 503
        assert refused.json()["error"] == {
            "code": "not_ready",
            "message": "the manager is closing down",
        }
        assert 0 < int(refused.headers["Retry-After"]) <= 3600
    assert http.get("/health").status_code == 200
    assert len(http.get("/sessions").json()["sessions"]) == 1
    assert http.post(f"{draining.session}/interrupt").status_code == 204
    answer = draining.cell.result().json()
    assert (answer["stdout"], answer["status"], answer["state"]) == (
        "within reach\ndone\n",
        "ok",
        "kept",
    )
    assert draining.manager.process.wait(timeout=30) == 0, draining.manager.log()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once(draining: Draining, number: int) -> None:
    below = draining.manager.descendants()
    assert draining.manager.stop(number) == 0, draining.manager.log()
    answer = draining.cell.result().json()
    assert (answer["error"]["ename"], answer["state"]) == ("SessionDied", "lost")
    assert alive(below) == set()
    assert "Traceback" not in draining.manager.log()


def test_a_cell_that_takes_longer_ends_with_the_grace_period() -> None:
    with a_manager("0.2") as (manager, http), ThreadPoolExecutor(1) as pool:
        session = create(http)
        running = pool.submit(http.post, f"{session}/execute", json={"code": "while True: pass"})
        wait_until_busy(http, session)
        assert manager.stop() == 0, manager.log()
        assert running.result().json()["state"] == "lost"


def test_nobody_waits_where_no_cell_runs() -> None:
    with a_manager(FOR_EVER) as (manager, http):
        http.post(f"{create(http)}/execute", json={"code": "x = 1"})
        assert manager.stop() == 0, manager.log()


def test_the_cell_of_a_jupyter_client_is_waited_for_too() -> None:
    with a_manager(FOR_EVER) as (manager, http):
        session = create(http)
        client = BlockingKernelClient()
        client.load_connection_info(http.get(f"{session}/connection").json())
        client.start_channels()
        client.wait_for_ready(timeout=60)
        asked = client.execute(ENDS_WHEN_INTERRUPTED)
        wait_until_interruptible(http, session)
        os.kill(manager.pid, signal.SIGTERM)
        while http.get("/ready").status_code == 200:
            threading.Event().wait(0.01)
        http.post(f"{session}/interrupt")
        reply = client.get_shell_msg(timeout=60)
        assert reply["parent_header"]["msg_id"] == asked
        assert reply["content"]["status"] == "ok"
        client.stop_channels()
        assert manager.process.wait(timeout=30) == 0, manager.log()


def test_the_end_of_its_input_waits_for_nobody() -> None:
    with (
        ManagerProcess(
            "--stop-on-eof", environment={"RLM_KERNEL_DRAIN_SECONDS": FOR_EVER}
        ) as manager,
        httpx.Client(base_url=manager.url, trust_env=False, timeout=60) as http,
        ThreadPoolExecutor(1) as pool,
    ):
        session = create(http)
        running = pool.submit(http.post, f"{session}/execute", json={"code": "while True: pass"})
        wait_until_busy(http, session)
        assert manager.process.stdin is not None
        manager.process.stdin.close()
        assert manager.process.wait(timeout=30) == 0
        assert running.result().json()["state"] == "lost"
