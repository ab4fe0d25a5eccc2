"""Executing code over HTTP: every way it can go."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from rlm_kernel.manager.wire import ExecutionResult
from tests.manager.process import ManagerProcess
from tests.sandbox.sessions import DEAF

ANSI = re.compile(r"\x1b\[[0-9;]*m")


def run(http: httpx.Client, session: str, code: str, **options: Any) -> ExecutionResult:
    answer = http.post(f"{session}/execute", json={"code": code, **options})
    assert answer.status_code == 200, answer.text
    return ExecutionResult.model_validate_json(answer.content)


def wait_for(condition: Callable[[], bool]) -> None:
    """Ask again until it is so; the test's own timeout ends a wait in vain."""
    while not condition():
        threading.Event().wait(0.02)


def is_busy(http: httpx.Client, session: str) -> bool:
    return bool(http.get(session).json()["status"] == "busy")


def executions(http: httpx.Client, session: str) -> int:
    return int(http.get(session).json()["executions"])


def test_output_value_and_streams_come_apart(http: httpx.Client, session: str) -> None:
    result = run(http, session, "import sys; print('o'); print('e', file=sys.stderr); 6 * 7")
    assert (result.status, result.state, result.error) == ("ok", "kept", None)
    assert (result.stdout, result.stderr, result.result) == ("o\n", "e\n", "42")
    assert result.execution_count == 1
    assert result.duration_ms > 0


def test_no_value_is_null(http: httpx.Client, session: str) -> None:
    assert run(http, session, "x = 1").result is None


def test_what_is_displayed_comes_as_mime_bundles(http: httpx.Client, session: str) -> None:
    code = "from IPython.display import HTML, display; display(HTML('<b>hi</b>')); display(7)"
    first, second = run(http, session, code).display
    assert first["text/html"] == "<b>hi</b>"
    assert second == {"text/plain": "7"}


def test_an_exception_is_a_result(http: httpx.Client, session: str) -> None:
    result = run(http, session, "print('before')\n1 / 0")
    assert (result.status, result.state, result.stdout) == ("error", "kept", "before\n")
    assert result.error is not None
    assert (result.error.ename, result.error.evalue) == ("ZeroDivisionError", "division by zero")
    assert "1 / 0" in ANSI.sub("", "\n".join(result.error.traceback))


@pytest.mark.parametrize("code", ["", "# nothing", "\n\n"])
def test_code_that_does_nothing_is_fine(http: httpx.Client, session: str, code: str) -> None:
    assert run(http, session, code).status == "ok"


def test_text_beyond_ascii_survives(http: httpx.Client, session: str) -> None:
    result = run(http, session, "print('naïve 日本 🙂'); 'grüße'")
    assert (result.stdout, result.result) == ("naïve 日本 🙂\n", "'grüße'")


def test_half_a_character_is_replaced(http: httpx.Client, session: str) -> None:
    """A lone surrogate, for which JSON in UTF-8 has no form."""
    result = run(http, session, "print('a\\ud800b')")
    assert (result.status, result.stdout) == ("ok", "a?b\n")


def test_a_body_needs_no_content_type(http: httpx.Client, session: str) -> None:
    """The design document's curl sends JSON as a form."""
    for headers in ({}, {"Content-Type": "application/x-www-form-urlencoded"}):
        answer = http.post(f"{session}/execute", content='{"code": "1 + 1"}', headers=headers)
        assert answer.json()["result"] == "2"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"1 + 1",
        b"[]",
        b"null",
        b"{}",
        b'{"code": 1}',
        b'{"code": null}',
        b'{"code": ["x"]}',
        b'{"code": "1", "timeout": 0}',
        b'{"code": "1", "timeout": -1}',
        b'{"code": "1", "timeout": "1"}',
        b'{"code": "1", "timeout": NaN}',
        b'{"code": "1", "timeout": 1e300}',
        b'{"code": "1", "timeuot": 1}',
        b'{"code": "1", "queue": 0}',
        b'{"code": "\\ud800"}',
        b'{"code": "\xff"}',
        b"[" * 100_000,
    ],
)
def test_a_bad_body_is_a_400_and_costs_nothing(
    http: httpx.Client, session: str, body: bytes
) -> None:
    answer = http.post(f"{session}/execute", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "bad_request"
    assert answer.json()["error"]["message"]
    assert run(http, session, "1").execution_count == 1


def test_a_body_that_is_too_large_is_a_413(http: httpx.Client, session: str) -> None:
    body = b'{"code": "' + b" " * (17 * 1024 * 1024) + b'"}'
    answer = http.post(f"{session}/execute", content=body)
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "body_too_large"


def test_a_body_of_unknown_length_is_cut_off_at_the_limit(http: httpx.Client, session: str) -> None:
    pieces = (b" " * 65536 for _ in range(1000))
    answer = http.post(f"{session}/execute", content=pieces)
    assert answer.status_code == 413


def test_a_cell_that_takes_too_long_is_stopped_and_keeps_its_variables(
    http: httpx.Client, session: str
) -> None:
    run(http, session, "x = 7")
    result = run(http, session, "while True: pass", timeout=0.5)
    assert (result.status, result.state) == ("timeout", "kept")
    assert run(http, session, "x").result == "7"


def test_without_a_standby_a_cell_that_must_be_killed_costs_the_variables_and_says_so() -> None:
    with (
        ManagerProcess(environment={"RLM_KERNEL_STANDBY": "0"}) as manager,
        httpx.Client(base_url=manager.url, trust_env=False, timeout=60) as http,
    ):
        session = f"/session/{http.post('/session').json()['session_id']}"
        run(http, session, f"x = 7\n{DEAF}")
        result = run(http, session, "while True: pass", timeout=0.5)
        assert (result.status, result.state) == ("timeout", "lost")
        assert run(http, session, "'x' in globals()").result == "False"


def test_a_cell_that_ends_its_process_says_so(http: httpx.Client, session: str) -> None:
    result = run(http, session, "import os; os._exit(3)")
    assert (result.status, result.state) == ("error", "lost")
    assert run(http, session, "1").result == "1"


def test_requests_to_one_session_run_in_order(http: httpx.Client, session: str) -> None:
    run(http, session, "import time; seen = []")
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(run, http, session, "time.sleep(0.3); seen.append(0)")
        wait_for(lambda: first.done() or is_busy(http, session))
        list(pool.map(lambda n: run(http, session, f"seen.append({n})"), range(1, 8)))
        assert first.result().status == "ok"
    result = run(http, session, "seen[0], sorted(seen[1:])")
    assert result.result == "(0, [1, 2, 3, 4, 5, 6, 7])"


def test_a_busy_session_refuses_a_cell_that_must_not_queue(
    http: httpx.Client, session: str
) -> None:
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, http, session, "while True: pass")
        wait_for(lambda: is_busy(http, session))
        answer = http.post(f"{session}/execute", json={"code": "1", "queue": False})
        assert answer.status_code == 409
        assert answer.json()["error"]["code"] == "session_busy"
        http.post(f"{session}/interrupt")
        running.result()
    assert run(http, session, "1", queue=False).result == "1"


def test_an_interrupt_ends_the_cell_and_keeps_the_variables(
    http: httpx.Client, session: str
) -> None:
    run(http, session, "x = 7")
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, http, session, "while True: pass")
        wait_for(lambda: is_busy(http, session))
        assert http.post(f"{session}/interrupt").status_code == 204
        result = running.result()
    assert (result.status, result.state) == ("error", "kept")
    assert result.error is not None
    assert result.error.ename == "KeyboardInterrupt"
    assert run(http, session, "x").result == "7"


def test_an_interrupt_of_an_idle_session_does_nothing(http: httpx.Client, session: str) -> None:
    assert http.post(f"{session}/interrupt").status_code == 204
    assert run(http, session, "1").result == "1"


def test_other_sessions_run_while_one_is_busy(http: httpx.Client, session: str) -> None:
    other = f"/session/{http.post('/session').json()['session_id']}"
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, http, session, "while True: pass")
        wait_for(lambda: is_busy(http, session))
        assert run(http, other, "1 + 1").result == "2"
        http.post(f"{session}/interrupt")
        running.result()


def test_a_session_survives_a_client_that_hangs_up(http: httpx.Client, session: str) -> None:
    run(http, session, "import time")
    body = b'{"code": "time.sleep(0.3); x = 7"}'
    address = urlsplit(str(http.base_url))
    with socket.create_connection((address.hostname, address.port)) as hasty:
        head = f"POST {session}/execute HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}"
        hasty.sendall(head.encode() + b"\r\n\r\n" + body)
        wait_for(lambda: is_busy(http, session) or executions(http, session) > 1)
    assert run(http, session, "x").result == "7"


def test_a_session_survives_a_body_that_never_ends(http: httpx.Client, session: str) -> None:
    address = urlsplit(str(http.base_url))
    with socket.create_connection((address.hostname, address.port)) as hasty:
        head = f"POST {session}/execute HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100"
        hasty.sendall(head.encode() + b"\r\n\r\n" + b'{"code": "x')
    assert run(http, session, "1").execution_count == 1


def test_deleting_a_session_ends_what_runs_in_it(http: httpx.Client, session: str) -> None:
    def execute() -> httpx.Response:
        return http.post(f"{session}/execute", json={"code": "while True: pass"})

    with ThreadPoolExecutor(2) as pool:
        running = pool.submit(execute)
        wait_for(lambda: is_busy(http, session))
        queued = pool.submit(execute)
        assert http.delete(session).status_code == 204
        answers = running.result(), queued.result()
    assert answers[0].json()["state"] == "lost"
    assert answers[1].status_code == 404


def test_a_client_that_asks_before_it_sends_is_told_at_once(
    http: httpx.Client, session: str
) -> None:
    """Its body never comes, and is not waited for."""
    address = urlsplit(str(http.base_url))
    with socket.create_connection((address.hostname, address.port)) as careful:
        head = f"POST {session}/execute HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999"
        careful.sendall(head.encode() + b"\r\nExpect: 100-continue\r\n\r\n")
        with careful.makefile("rb") as answer:
            assert answer.readline().startswith(b"HTTP/1.1 413 ")
            assert b"Connection: close\r\n" in answer.readlines()
