"""Sessions over HTTP: create, look at, list, destroy."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import httpx
import pytest

from tests.manager.process import ManagerProcess
from tests.processes import alive


def run(http: httpx.Client, session: str, code: str) -> dict[str, Any]:
    answer = http.post(f"{session}/execute", json={"code": code})
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


def test_a_session_is_created_with_its_ids_and_its_time(http: httpx.Client) -> None:
    answer = http.post("/session")
    assert answer.status_code == 201
    body = answer.json()
    assert set(body) == {"session_id", "created_at", "kernel_id"}
    assert datetime.strptime(body["created_at"], "%Y-%m-%dT%H:%M:%S.%fZ")


def test_variables_live_from_one_execute_to_the_next(http: httpx.Client, session: str) -> None:
    """The example of the design document."""
    run(http, session, "x = 42")
    assert run(http, session, "x * 2")["result"] == "84"
    run(http, session, "x = x + 10")
    assert run(http, session, "x")["result"] == "52"


def test_sessions_do_not_see_each_other(http: httpx.Client, session: str) -> None:
    other = f"/session/{http.post('/session').json()['session_id']}"
    run(http, session, "x = 1; open('here', 'w').close()")
    assert run(http, other, "x")["error"]["ename"] == "NameError"
    assert run(http, other, "import os; os.path.exists('here')")["result"] == "False"


def test_a_deleted_session_is_gone_and_its_process_a_moment_after(
    http: httpx.Client, session: str, manager: ManagerProcess
) -> None:
    with_it = manager.descendants()
    answer = http.delete(session)
    assert (answer.status_code, answer.content) == (204, b"")
    for gone in (http.get(session), http.delete(session), http.post(f"{session}/execute")):
        assert gone.status_code == 404
        assert gone.json()["error"]["code"] == "session_not_found"
    while len(alive(with_it)) >= len(with_it):
        time.sleep(0.005)


def test_the_list_holds_each_session_with_its_details(http: httpx.Client, session: str) -> None:
    run(http, session, "1")
    http.post("/session")
    body = http.get("/sessions").json()
    assert body["max_sessions"] == 100
    first, second = body["sessions"]
    assert (first["executions"], second["executions"]) == (1, 0)
    assert first["status"] == "idle"
    assert first["created_at"] < second["created_at"]
    changing = {name: first[name] for name in ("age_seconds", "idle_seconds", "memory_bytes")}
    assert first == http.get(session).json() | changing


def test_the_details_say_what_a_session_is_and_uses(http: httpx.Client, session: str) -> None:
    fresh = http.get(session).json()
    result = run(http, session, "x = bytearray(20_000_000); sum(range(3_000_000))")
    assert (result["status"], result["state"]) == ("ok", "kept")
    used = http.get(session).json()
    assert (fresh["owned"], fresh["forked_from"], fresh["waiting"]) == (False, None, 0)
    assert 0 < fresh["memory_bytes"] < 15_000_000 < used["memory_bytes"]
    assert used["cpu_seconds"] > fresh["cpu_seconds"] == 0
    for _ in range(50):  # also when it shares that with its standby
        assert http.get(session).json()["memory_bytes"] > 15_000_000
    copy = f"/session/{http.post(f'{session}/fork').json()['session_id']}"
    assert http.get(copy).json()["memory_bytes"] > 15_000_000
    assert used["age_seconds"] > used["idle_seconds"] >= 0
    assert used["age_seconds"] > fresh["age_seconds"]


def test_asking_for_details_is_no_activity(http: httpx.Client, session: str) -> None:
    first, second = http.get(session).json(), http.get(session).json()
    assert second["last_activity"] == first["last_activity"]
    assert second["idle_seconds"] > first["idle_seconds"]


def test_all_sessions_are_destroyed_at_once(http: httpx.Client, session: str) -> None:
    http.post("/session")
    assert http.delete("/sessions").json() == {"deleted": 2}
    assert http.get("/sessions").json()["sessions"] == []
    assert http.get(session).status_code == 404


def test_a_restarted_session_has_lost_its_variables(http: httpx.Client, session: str) -> None:
    run(http, session, "x = 1")
    assert http.post(f"{session}/restart").status_code == 204
    assert run(http, session, "x")["error"]["ename"] == "NameError"


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/session", "POST"),
        ("POST", "/sessions", "GET, DELETE"),
        ("PUT", "/session/some-id/execute", "POST"),
    ],
)
def test_a_method_that_a_path_has_not_is_a_405(
    http: httpx.Client, method: str, path: str, allow: str
) -> None:
    answer = http.request(method, path)
    assert answer.status_code == 405
    assert answer.json()["error"]["code"] == "method_not_allowed"
    assert answer.headers["Allow"] == allow


def test_a_method_that_nobody_has_is_a_405_and_ends_the_connection(http: httpx.Client) -> None:
    answer = http.request("FROBNICATE", "/session")
    assert answer.status_code == 405
    assert answer.json()["error"]["code"] == "method_not_allowed"
    assert answer.headers["Connection"] == "close"


@pytest.mark.parametrize("path", ["/", "/session/", "/sessions/x", "/session/x/y", "/api/x"])
def test_an_unknown_path_is_a_404(http: httpx.Client, path: str) -> None:
    answer = http.get(path)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


def test_a_session_is_not_created_by_a_request_that_cannot_be_read(http: httpx.Client) -> None:
    for body in ('{"owned": 1}', '{"unknown": true}', "owned"):
        answer = http.post("/session", content=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")
    assert http.get("/sessions").json()["sessions"] == []


def test_what_a_session_has_published_is_replayed_as_jupyter_messages(
    http: httpx.Client, session: str
) -> None:
    run(http, session, "print('hello'); 6 * 7")
    replay = http.get(f"{session}/replay").json()
    kinds = [message["header"]["msg_type"] for message in replay["messages"]]
    assert replay["dropped"] == 0
    assert kinds == ["status", "execute_input", "stream", "execute_result", "status"]
    [request] = {message["parent_header"]["msg_id"] for message in replay["messages"]}
    assert replay["messages"][2]["content"] == {"name": "stdout", "text": "hello\n"}
    assert request
