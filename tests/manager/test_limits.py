"""How many sessions there may be, and for how long one may stand idle."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager

import httpx
import pytest
from jupyter_client.blocking.client import BlockingKernelClient

from tests.manager.jupyter.socket_client import SocketClient
from tests.manager.process import ManagerProcess
from tests.manager.scrape import scrape
from tests.manager.test_log_lines import line_of
from tests.processes import alive

TTL = 1.0


@pytest.fixture(scope="module")
def small_manager() -> Iterator[ManagerProcess]:
    with ManagerProcess("--max-sessions", "2", "--session-ttl", f"{TTL}") as process:
        yield process


@pytest.fixture
def http(small_manager: ManagerProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=small_manager.url, trust_env=False, timeout=60) as client:
        yield client
        client.delete("/sessions")


def create(http: httpx.Client) -> str:
    answer = http.post("/session")
    assert answer.status_code == 201, answer.text
    return f"/session/{answer.json()['session_id']}"


def wait_until_gone(http: httpx.Client, session: str) -> httpx.Response:
    while (answer := http.get(session)).status_code == 200:
        threading.Event().wait(0.05)
    return answer


def test_one_session_too_many_is_a_429_that_says_when_to_come_again(http: httpx.Client) -> None:
    while (answer := http.post("/session")).status_code == 201:  # as those before have expired
        sessions = [one["session_id"] for one in http.get("/sessions").json()["sessions"]]
        assert len(sessions) <= 2
    assert answer.status_code == 429
    assert answer.json()["error"]["code"] == "too_many_sessions"
    assert answer.headers["Retry-After"] == "1"
    http.delete(f"/session/{sessions[0]}")
    create(http)


def test_an_idle_session_expires_and_its_answer_says_when_and_why(
    http: httpx.Client, small_manager: ManagerProcess
) -> None:
    session = create(http)
    answer = wait_until_gone(http, session)
    assert answer.status_code == 410
    error = answer.json()["error"]
    assert error["code"] == "session_expired"
    assert "idle for 1 s (SESSION_TTL)" in error["message"]
    assert "Z, " in error["message"]
    for late in (http.delete(session), http.post(f"{session}/execute", json={"code": "1"})):
        assert late.status_code == 410
    while alive(small_manager.descendants()) != small_manager.children():  # a moment later
        threading.Event().wait(0.02)
    assert small_manager.children()


def test_expired_sessions_are_counted_and_logged(
    http: httpx.Client, small_manager: ManagerProcess
) -> None:
    before = scrape(http)["sessions_ended_total expired"]
    session = create(http)
    wait_until_gone(http, session)
    assert scrape(http)["sessions_ended_total expired"] > before
    line = line_of(
        small_manager,
        lambda line: line["event"] == "session expired" and line["session_id"] in session,
    )
    assert "request_id" not in line


def test_an_expired_session_makes_room(http: httpx.Client) -> None:
    wait_until_gone(http, create(http))
    create(http)
    create(http)


def test_a_session_that_works_does_not_expire(http: httpx.Client) -> None:
    """The cell takes longer than a session may stand idle."""
    session = create(http)
    code = f"import time; time.sleep({3 * TTL}); 'done'"
    answer = http.post(f"{session}/execute", json={"code": code})
    assert answer.json()["result"] == "'done'"
    late = http.get(session)
    assert late.status_code == 410 or late.json()["idle_seconds"] < TTL


def test_a_session_expires_after_its_work_too(http: httpx.Client) -> None:
    session = create(http)
    http.post(f"{session}/execute", json={"code": "1"})
    assert wait_until_gone(http, session).status_code == 410


@contextmanager
def a_jupyter_client(_manager: ManagerProcess, http: httpx.Client, session: str) -> Iterator[None]:
    client = BlockingKernelClient()
    client.load_connection_info(http.get(f"{session}/connection").json())
    client.start_channels()
    yield
    client.stop_channels()


@contextmanager
def a_websocket(manager: ManagerProcess, _http: httpx.Client, session: str) -> Iterator[None]:
    with SocketClient(manager.url, session.removeprefix("/session/")):
        yield


@contextmanager
def busy(http: httpx.Client, session: str) -> Iterator[None]:
    cell = "try:\n    while True: pass\nexcept KeyboardInterrupt: pass"
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(http.post, f"{session}/execute", json={"code": cell})
        while http.get(session).json()["status"] != "busy":
            threading.Event().wait(0.01)
        yield
        http.post(f"{session}/interrupt")
        assert running.result().json()["status"] == "ok"


@pytest.mark.parametrize("attached", [a_jupyter_client, a_websocket])
def test_a_session_that_somebody_is_attached_to_expires_after_they_left(
    attached: Callable[..., AbstractContextManager[None]],
    http: httpx.Client,
    small_manager: ManagerProcess,
) -> None:
    watched = create(http)
    with ExitStack() as present:
        with busy(http, watched):  # or it might expire before anybody is there
            present.enter_context(attached(small_manager, http, watched))
            while http.get(watched).json()["clients"] != 1:
                threading.Event().wait(0.01)
        for _ in range(2):
            wait_until_gone(http, create(http))
        details = http.get(watched).json()
        assert (details["clients"], details["idle_seconds"]) == (1, 0)
    assert wait_until_gone(http, watched).status_code == 410
