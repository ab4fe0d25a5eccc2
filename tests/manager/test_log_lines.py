"""What the manager logs: whose line it is, and what never gets into one."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from jupyter_client.blocking.client import BlockingKernelClient

from tests.manager.process import ManagerProcess
from tests.manager.test_sessions import run

Line = dict[str, Any]


@pytest.fixture(scope="module")
def logging_manager() -> Iterator[ManagerProcess]:
    with ManagerProcess(environment={"LOG_LEVEL": "DEBUG"}) as process:
        yield process


@pytest.fixture
def http(logging_manager: ManagerProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=logging_manager.url, trust_env=False, timeout=60) as client:
        yield client


def lines(manager: ManagerProcess) -> list[Line]:
    return [json.loads(line) for line in manager.log().splitlines()]


def line_of(manager: ManagerProcess, wanted: Callable[[Line], bool]) -> Line:
    """The first line that is wanted, once it is there."""
    while True:
        if found := next(filter(wanted, lines(manager)), None):
            return found
        threading.Event().wait(0.02)


def test_a_request_has_a_line_with_its_route_and_id(
    http: httpx.Client, logging_manager: ManagerProcess
) -> None:
    answer = http.get("/session/made-up?token=hunter2", headers={"X-Request-Id": "my-own.id:1"})
    assert answer.headers["X-Request-Id"] == "my-own.id:1"
    line = line_of(logging_manager, lambda line: line.get("request_id") == "my-own.id:1")
    assert line["event"] == "GET /session/made-up"
    assert (line["route"], line["status"]) == ("/session/{id}", 404)
    assert line["ms"] >= 0
    assert "hunter2" not in logging_manager.log()


@pytest.mark.parametrize("given", [None, "", "x" * 129, "two words", 'quo"te', "sch\xf6n"])
def test_a_request_without_a_usable_id_gets_one(http: httpx.Client, given: str | None) -> None:
    headers = {} if given is None else {b"X-Request-Id": given.encode("latin1")}
    answers = [http.get("/health", headers=headers) for _ in range(2)]
    ids = {answer.headers["X-Request-Id"] for answer in answers}
    assert len(ids) == 2
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in ids)


def test_every_line_about_a_session_names_it(
    http: httpx.Client, logging_manager: ManagerProcess
) -> None:
    other, one = (http.post("/session").json()["session_id"] for _ in range(2))
    session = f"/session/{one}"
    run(http, f"/session/{other}", "1")
    run(http, session, "import os; os._exit(3)")
    http.get(session)
    http.get(f"/api/kernels/{one}")
    http.delete(session)
    line_of(logging_manager, lambda line: line["event"] == f"DELETE {session}")
    of_it = [line for line in lines(logging_manager) if line.get("session_id") == one]
    assert [line["event"] for line in of_it] == [
        "session created",
        "POST /session",
        "a session's process ended",
        f"POST {session}/execute",
        f"GET {session}",
        f"GET /api/kernels/{one}",
        "session deleted",
        f"DELETE {session}",
    ]
    ended = of_it[2]
    assert (ended["cause"], ended["reason"]) == ("exited", "it ended by itself (exit 3)")
    assert ended["state"] in ("lost", "rolled_back")


def test_lines_of_the_same_connection_do_not_keep_the_session_of_an_earlier_one(
    http: httpx.Client, logging_manager: ManagerProcess
) -> None:
    session = f"/session/{http.post('/session').json()['session_id']}"
    http.get(session)
    http.get("/sessions", headers={"X-Request-Id": "after"})
    assert "session_id" not in line_of(
        logging_manager, lambda line: line.get("request_id") == "after"
    )


def test_a_jupyter_message_that_nobody_understands_is_logged_with_its_session(
    http: httpx.Client, logging_manager: ManagerProcess
) -> None:
    one = http.post("/session").json()["session_id"]
    client = BlockingKernelClient()
    client.load_connection_info(http.get(f"/session/{one}/connection").json())
    client.start_channels()
    try:
        client.wait_for_ready(timeout=30)
        client.shell_channel.send(client.session.msg("brew_request", {}))
        client.get_shell_msg(timeout=30)
    finally:
        client.stop_channels()
    line = line_of(logging_manager, lambda line: "brew_request" in line["event"])
    assert line["session_id"] == one
    assert "request_id" not in line
