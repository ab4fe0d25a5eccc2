"""Executing code as a stream of events: what comes when, and clients that go or do not read."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPResponse
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from rlm_kernel.errors import SessionExpired
from rlm_kernel.http import event_stream
from rlm_kernel.http.events import KEEP_ALIVE
from rlm_kernel.http.negotiation import accepts
from rlm_kernel.manager.handlers.event_stream import EventStream
from rlm_kernel.sandbox import Event
from tests.manager.process import ManagerProcess
from tests.manager.test_execute import is_busy, run, wait_for

Told = tuple[str, dict[str, Any]]
HEADERS = {"Accept": "text/event-stream"}


def events(lines: Iterator[str]) -> Iterator[Told]:
    """The events of a stream, by the rules of the HTML standard as far as they matter here."""
    name, data = "", ""
    for line in lines:
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            data = value
        elif not line and data:
            yield name, json.loads(data)
            name, data = "", ""


@contextmanager
def stream(http: httpx.Client, session: str, code: str, **options: Any) -> Iterator[Iterator[Told]]:
    body = {"code": code, **options}
    with http.stream("POST", f"{session}/execute", json=body, headers=HEADERS) as answer:
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "text/event-stream"
        yield events(line for text in answer.iter_text() for line in text.split("\n"))


def told(http: httpx.Client, session: str, code: str, **options: Any) -> list[Told]:
    body = {"code": code, **options}
    answer = http.post(f"{session}/execute", json=body, headers=HEADERS)
    assert answer.status_code == 200, answer.text
    return list(events(iter(answer.text.split("\n"))))


def test_each_thing_that_a_cell_does_is_an_event(http: httpx.Client, session: str) -> None:
    code = (
        "import sys\nfrom IPython.display import HTML, clear_output, display\nprint('out')\n"
        "print('err', file=sys.stderr)\nhandle = display(HTML('<i>'), display_id='d')\n"
        "handle.update(HTML('<b>'))\nclear_output(wait=True)\n6 * 7"
    )
    seen = told(http, session, code)
    assert [name for name, _ in seen] == [
        "start",
        "stream",
        "stream",
        "display",
        "update_display",
        "clear_output",
        "result",
        "end",
    ]
    assert seen[0][1] == {"execution_count": 1}
    assert seen[1][1] == {"name": "stdout", "text": "out\n"}
    assert seen[2][1] == {"name": "stderr", "text": "err\n"}
    assert seen[3][1]["data"]["text/html"] == "<i>"
    assert seen[4][1]["transient"] == {"display_id": "d"}
    assert seen[5][1] == {"wait": True}
    assert seen[6][1] == {"data": {"text/plain": "42"}, "metadata": {}, "execution_count": 1}


@pytest.mark.parametrize("code", ["1", "1 / 0", "import os; os._exit(1)"])
def test_the_end_is_the_whole_answer_without_the_outputs(
    http: httpx.Client, session: str, code: str
) -> None:
    name, end = told(http, session, code)[-1]
    whole = http.post(f"{session}/execute", json={"code": code}).json()
    outputs = {"stdout", "stderr", "result", "display"}
    assert name == "end"
    assert end.keys() == whole.keys() - outputs
    same = ("status", "state")
    assert [end[field] for field in same] == [whole[field] for field in same]
    assert end["duration_ms"] > 0


def test_an_exception_is_an_event_and_in_the_end(http: httpx.Client, session: str) -> None:
    *_, (error, shown), (end, last) = told(http, session, "{}['missing']")
    assert (error, end, last["status"]) == ("error", "end", "error")
    assert shown["ename"] == last["error"]["ename"] == "KeyError"


def test_output_comes_while_the_cell_runs(http: httpx.Client, session: str) -> None:
    with stream(http, session, "print('now')\nwhile True: pass") as seen:
        assert [next(seen)[0], next(seen)[1]["text"]] == ["start", "now\n"]
        http.post(f"{session}/interrupt")
        *_, (name, end) = seen
    assert (name, end["error"]["ename"]) == ("end", "KeyboardInterrupt")


def test_a_timeout_ends_a_stream_as_it_ends_a_cell(http: httpx.Client, session: str) -> None:
    name, end = told(http, session, "while True: pass", timeout=0.3)[-1]
    assert (name, end["status"], end["state"]) == ("end", "timeout", "kept")


def test_text_of_every_kind_comes_through(http: httpx.Client, session: str) -> None:
    text = "two\n\nlines\r\n\u2028\x0b\x85 data: x\n\nevent: end"
    shown = told(http, session, f"print({text!r}, end='')")
    assert "".join(data["text"] for name, data in shown if name == "stream") == text
    assert told(http, session, "print('\\ud800')")[1][1]["text"] == "?\n"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/session/unknown", {"code": "1"}, 404),
        ("", {"code": 1}, 400),
        ("", {"code": "1", "interrupt_on_disconnect": "yes"}, 400),
    ],
)
def test_what_is_wrong_from_the_start_is_no_stream(
    http: httpx.Client, session: str, path: str, body: dict[str, Any], status: int
) -> None:
    answer = http.post(f"{path or session}/execute", json=body, headers=HEADERS)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/json"


def test_a_busy_session_refuses_a_stream_that_must_not_queue(
    http: httpx.Client, session: str
) -> None:
    with stream(http, session, "while True: pass") as seen:
        next(seen)
        body = {"code": "1", "queue": False}
        answer = http.post(f"{session}/execute", json=body, headers=HEADERS)
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "session_busy")
        http.post(f"{session}/interrupt")
        list(seen)


def test_a_session_that_is_deleted_ends_its_streams(http: httpx.Client, session: str) -> None:
    with stream(http, session, "while True: pass") as running:
        next(running)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(told, http, session, "1")
            wait_for(lambda: http.get(session).json()["waiting"] == 1)
            http.delete(session)
            assert list(running)[-1][1]["state"] == "lost"
            *_, (name, fault) = waiting.result()
    assert (name, fault["code"]) == ("fault", "session_not_found")


def raw(http: httpx.Client, session: str, body: dict[str, Any], accept: str) -> socket.socket:
    """A connection with a request on it whose answer nobody reads yet."""
    address, data = urlsplit(str(http.base_url)), json.dumps(body)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    client.connect((address.hostname, address.port))
    head = f"POST {session}/execute HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n"
    client.sendall(f"{head}Content-Length: {len(data)}\r\n\r\n{data}".encode())
    return client


@pytest.mark.parametrize("accept", ["*/*", "text/event-stream"])
def test_a_client_that_goes_ends_its_cell_if_it_asked_for_that(
    http: httpx.Client, session: str, accept: str
) -> None:
    run(http, session, "x = 1")
    body = {"code": "x = 2\nwhile True: pass", "interrupt_on_disconnect": True}
    with raw(http, session, body, accept):
        wait_for(lambda: is_busy(http, session))
        wait_for(lambda: http.get(session).json()["executions"] == 2)
    result = run(http, session, "x")
    assert (result.result, result.state) == ("2", "kept")


@pytest.mark.parametrize("accept", ["*/*", "text/event-stream"])
def test_a_client_that_goes_while_it_waits_takes_its_cell_along_and_no_other(
    http: httpx.Client, session: str, accept: str
) -> None:
    run(http, session, "seen = []")
    with stream(http, session, "while not seen: pass") as running:
        next(running)
        body = {"code": "seen.append('gone')", "interrupt_on_disconnect": True}
        with raw(http, session, body, accept):
            wait_for(lambda: http.get(session).json()["waiting"] == 1)
        wait_for(lambda: http.get(session).json()["waiting"] == 0)
        assert is_busy(http, session)
        http.post(f"{session}/interrupt")
        assert list(running)[-1][1]["error"]["ename"] == "KeyboardInterrupt"
    assert run(http, session, "seen").result == "[]"


def test_a_cell_whose_listener_goes_runs_on_otherwise(http: httpx.Client, session: str) -> None:
    run(http, session, "seen = []; import time")
    body = {"code": "for n in range(30): print(n); time.sleep(0.01)\nseen.append('done')"}
    with raw(http, session, body, "text/event-stream"):
        wait_for(lambda: is_busy(http, session))
    assert run(http, session, "seen").result == "['done']"


@pytest.fixture(scope="module")
def narrow() -> Iterator[httpx.Client]:
    """A manager that keeps little for clients that do not read."""
    environment = {"RLM_KERNEL_STREAM_BYTES": f"{1 << 20}"}
    with (
        ManagerProcess(environment=environment) as manager,
        httpx.Client(base_url=manager.url, trust_env=False, timeout=60) as http,
    ):
        yield http


def new_session(http: httpx.Client) -> str:
    return f"/session/{http.post('/session').json()['session_id']}"


def all_of(client: socket.socket) -> list[Told]:
    """The events of an answer that ends as it should."""
    with HTTPResponse(client, method="POST") as answer:
        answer.begin()
        return list_of(answer.read())


TALKATIVE = "for _ in range(120): print('x' * 100_000)"


def test_who_does_not_read_is_told_where_the_stream_ends_and_the_cell_goes_on(
    narrow: httpx.Client,
) -> None:
    session = new_session(narrow)
    with raw(narrow, session, {"code": f"{TALKATIVE}\nx = 1"}, "text/event-stream") as client:
        wait_for(lambda: is_busy(narrow, session))
        assert run(narrow, session, "x").result == "1"
        seen = all_of(client)
    assert (seen[-1][0], seen[-1][1]["code"]) == ("fault", "reader_too_slow")
    assert {name for name, _ in seen[:-1]} == {"start", "stream"}


def test_who_does_not_read_ends_its_cell_if_it_asked_for_that(narrow: httpx.Client) -> None:
    session = new_session(narrow)
    body = {"code": f"x = 1\n{TALKATIVE}\nwhile True: pass", "interrupt_on_disconnect": True}
    with raw(narrow, session, body, "text/event-stream") as client:
        wait_for(lambda: narrow.get(session).json()["executions"] == 1)
        assert run(narrow, session, "x").result == "1"
        assert all_of(client)[-1][1]["code"] == "reader_too_slow"


def test_one_event_may_be_larger_than_what_may_wait(narrow: httpx.Client) -> None:
    session = new_session(narrow)
    shown = told(narrow, session, "display({'text/plain': 'x' * 3_000_000}, raw=True)")
    assert [name for name, _ in shown] == ["start", "display", "end"]
    assert len(shown[1][1]["data"]["text/plain"]) == 3_000_000


def test_curl_shows_the_events(http: httpx.Client, session: str) -> None:
    url, body = f"{http.base_url}{session}/execute", '{"code": "print(1)"}'
    command = ["curl", "-sN", "-H", "Accept: text/event-stream", url, "-d", body]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert shown.startswith('event: start\ndata: {"execution_count":1}\n\n')
    assert 'event: stream\ndata: {"name":"stdout","text":"1\\n"}\n\nevent: end\n' in shown


async def test_a_stream_without_events_is_kept_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "KEEP_ALIVE_SECONDS", 0.01)
    events = EventStream(1000)
    assert [await events.take(), await events.take()] == [KEEP_ALIVE, KEEP_ALIVE]
    events.observe(Event("clear_output", "1", {"wait": False}))
    assert await events.take() == b'event: clear_output\ndata: {"wait":false}\n\n'


async def test_a_stream_that_overflows_says_so_once_and_takes_no_more() -> None:
    events, calls = EventStream(100), []
    events.on_overflow = lambda: calls.append(1)
    for _ in range(10):
        events.observe(Event("stream", "1", {"name": "stdout", "text": "x" * 40}))
    assert (await events.take()).startswith(b'event: fault\ndata: {"code":"reader_too_slow"')
    assert (await events.take(), calls) == (b"", [1])


@pytest.mark.parametrize(
    ("error", "code"),
    [(SessionExpired("gone"), "session_expired"), (RuntimeError(), "manager_error")],
)
async def test_an_execution_that_fails_ends_the_stream_with_a_fault(
    error: Exception, code: str
) -> None:
    events, cell = EventStream(1000), asyncio.get_running_loop().create_future()
    cell.set_exception(error)
    events.conclude(cell)
    [(name, fault)] = list_of(await events.take())
    assert (name, fault["code"], await events.take()) == ("fault", code, b"")


def list_of(data: bytes) -> list[Told]:
    return list(events(iter(data.decode().split("\n"))))


@pytest.mark.parametrize(
    ("header", "answer"),
    [
        ("text/event-stream", True),
        ("application/json, Text/Event-Stream;q=0.5", True),
        ("text/event-stream;q=0", False),
        ("text/event-stream; q=0.000", False),
        ("text/event-stream;q=0.001", True),
        ("*/*", False),
        ("text/*", False),
        ("", False),
        ("application/json", False),
    ],
)
def test_a_stream_comes_where_it_is_named(header: str, answer: bool) -> None:
    assert accepts(header, "text/event-stream") is answer
