"""Requests to one session are served in their order, whatever they are; to others beside them."""

from __future__ import annotations

import json
import socket
from concurrent.futures import Future, ThreadPoolExecutor
from http.client import HTTPResponse
from urllib.parse import urlsplit

import httpx

from tests.manager.test_execute import is_busy, wait_for
from tests.manager.test_sessions import run


def raw(method: str, path: str, body: bytes = b"") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def answers(http: httpx.Client, requests: list[bytes]) -> list[bytes]:
    """The bodies of the answers to requests that are sent at once on one connection."""
    address = urlsplit(str(http.base_url))
    bodies = []
    with socket.create_connection((address.hostname, address.port)) as client:
        client.sendall(b"".join(requests))
        with client.makefile("rb") as stream:
            for _ in requests:
                answer = HTTPResponse(_Unbuffered(stream))  # type: ignore[arg-type]
                answer.begin()
                assert answer.status < 300
                bodies.append(answer.read())
    return bodies


class _Unbuffered:
    """Has `HTTPResponse` read no more than its own answer of a stream that goes on."""

    def __init__(self, stream: object) -> None:
        self._stream = stream

    def makefile(self, _mode: str) -> object:
        return _Shared(self._stream)


class _Shared:
    def __init__(self, stream: object) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def close(self) -> None:
        """The stream is the next answer's too."""


def cell(session: str, code: str) -> bytes:
    return raw("POST", f"{session}/execute", json.dumps({"code": code}).encode())


def test_what_is_sent_at_once_on_a_connection_is_answered_in_order(
    http: httpx.Client, session: str
) -> None:
    other = f"/session/{http.post('/session').json()['session_id']}"
    bodies = answers(
        http,
        [
            cell(session, "import time; time.sleep(0.1); x = [1]"),
            cell(other, "'other'"),
            cell(session, "x.append(2); open('f', 'w').write('written')"),
            raw("GET", f"{session}/files/f"),
            raw("PUT", f"{session}/files/f", b"put"),
            cell(session, "x, open('f').read()"),
            raw("DELETE", f"{session}/files/f"),
            cell(session, "import os; os.path.exists('f')"),
        ],
    )
    results = [json.loads(bodies[n])["result"] for n in (1, 5, 7)]
    assert results == ["'other'", "([1, 2], 'put')", "False"]
    assert bodies[3] == b"written"


def test_files_wait_for_the_cells_before_them_and_not_for_those_after(
    http: httpx.Client, session: str
) -> None:
    run(http, session, "def write(text):\n    with open('f', 'w') as f: _ = f.write(text)")
    line: list[Future[httpx.Response]] = []

    def queue(method: str, path: str, **options: object) -> None:
        line.append(pool.submit(http.request, method, f"{session}/{path}", **options))  # type: ignore[arg-type]
        wait_for(lambda: http.get(session).json()["waiting"] == len(line))

    with ThreadPoolExecutor(8) as pool:
        running = pool.submit(run, http, session, "while True: pass")
        wait_for(lambda: is_busy(http, session))
        queue("POST", "execute", json={"code": "write('first')"})
        queue("GET", "files/f")
        queue("POST", "execute", json={"code": "write('second')"})
        queue("GET", "files/")
        queue("DELETE", "files/f")
        queue("POST", "execute", json={"code": "import os; os.path.exists('f')"})
        http.post(f"{session}/interrupt")
        running.result()
        results = [each.result() for each in line]
    assert results[1].content == b"first"
    assert "f" in [entry["name"] for entry in results[3].json()["entries"]]
    assert results[5].json()["result"] == "False"


def test_many_clients_of_many_sessions_each_have_their_own_order(http: httpx.Client) -> None:
    sessions = [f"/session/{http.post('/session').json()['session_id']}" for _ in range(6)]
    for session in sessions:
        run(http, session, "seen = []")

    def append(number: int) -> tuple[int, str]:
        session = sessions[number % len(sessions)]
        result = run(http, session, f"seen.append({number}); len(seen), seen[-1]")
        return number, str(result["result"])

    with ThreadPoolExecutor(16) as pool:
        told = dict(pool.map(append, range(120)))
    for index, session in enumerate(sessions):
        order = json.loads(run(http, session, "print(seen)")["stdout"])
        assert sorted(order) == list(range(index, 120, len(sessions)))
        for place, number in enumerate(order, 1):
            assert told[number] == f"({place}, {number})"
