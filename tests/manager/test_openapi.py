"""The description of the HTTP interface: well formed, complete, and true."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from jsonschema import ValidationError  # type: ignore[import-untyped]
from openapi_spec_validator import validate
from tornado.web import RequestHandler

from rlm_kernel import __version__
from rlm_kernel.http.events import EventDecoder
from rlm_kernel.manager.application import ROUTES
from rlm_kernel.manager.interface import INTERFACE
from tests.manager.description import Description
from tests.manager.process import ManagerProcess
from tests.manager.test_execute import is_busy, wait_for

UNPROVOKED = {408, 431, 500, 503}
"""Answers to trouble that other tests make, or that there should never be."""


def methods_of(handler: type[RequestHandler]) -> list[str]:
    return [
        method
        for method in RequestHandler.SUPPORTED_METHODS
        if getattr(handler, method.lower()) is not getattr(RequestHandler, method.lower())
    ]


def operations(description: Description) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in description.document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def test_the_description_is_of_openapis_form(description: Description) -> None:
    validate(description.document)
    assert description.document["openapi"] == "3.1.0"
    assert description.document["info"]["version"] == __version__


def test_every_method_of_every_route_is_described(description: Description) -> None:
    routes = {
        (method, INTERFACE.template(pattern))
        for pattern, handler in ROUTES
        for method in methods_of(handler)
    }
    assert {(method, path) for method, path, _ in operations(description)} == routes


def test_operations_have_names_of_their_own_and_tell_what_they_do(description: Description) -> None:
    names = [operation["operationId"] for _, _, operation in operations(description)]
    assert len(names) == len(set(names))
    assert all(operation["summary"] for _, _, operation in operations(description))


def test_messages_are_told_with_what_each_field_is(description: Description) -> None:
    schemas = description.document["components"]["schemas"]
    assert schemas["SessionDetails"]["properties"]["created_at"] == {
        "format": "date-time",
        "title": "Created At",
        "type": "string",
    }
    assert schemas["ExecuteRequest"]["required"] == ["code"]
    assert schemas["ExecuteRequest"]["additionalProperties"] is False
    assert set(schemas["SessionInfo"]["required"]) == {"session_id", "created_at", "kernel_id"}


def drive(http: httpx.Client) -> None:
    """Has every operation give each answer that a client can bring about."""
    assert http.post("/session", content="[]").status_code == 400
    session = f"/session/{http.post('/session').json()['session_id']}"
    copy = f"/session/{http.post(f'{session}/fork').json()['session_id']}"
    cells = (
        "x = 1\nprint(x)\n2",
        "1 / 0",
        "display({'text/plain': 'x'}, raw=True)",
        "print('\\ud800')",
        "import os; os._exit(1)",
    )
    for code in cells:
        assert http.post(f"{session}/execute", json={"code": code}).status_code == 200
        events = {"Accept": "text/event-stream"}
        answer = http.post(f"{session}/execute", json={"code": code}, headers=events)
        assert answer.headers["Content-Type"] == "text/event-stream"
    busy(http, session)
    drive_files(http, session)
    for path in (session, f"{session}/connection", f"{session}/replay"):
        assert http.get(path).status_code == 200
    for path in ("interrupt", "restart"):
        assert http.post(f"{session}/{path}").status_code == 204
    for path in ("/sessions", "/health", "/ready", "/metrics", "/openapi.json"):
        assert http.get(path).status_code == 200
    assert http.post(f"{session}/execute", content="{}").status_code == 400
    assert http.post(f"{session}/fork", content="[]").status_code == 400
    assert http.post(f"{session}/execute", content=bytes(17 << 20)).status_code == 413
    assert http.delete(session).status_code == 204
    assert http.delete(copy).status_code == 204
    assert http.delete("/sessions").status_code == 200


def busy(http: httpx.Client, session: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        running = pool.submit(http.post, f"{session}/execute", json={"code": "while True: pass"})
        wait_for(lambda: is_busy(http, session))
        answer = http.post(f"{session}/execute", json={"code": "1", "queue": False})
        waiting = [
            pool.submit(http.post, f"{session}/fork"),
            pool.submit(http.get, f"{session}/files"),
            pool.submit(http.delete, f"{session}/files/none"),
        ]
        wait_for(lambda: http.get(session).json()["waiting"] == 3)
        http.post(f"{session}/restart")
        assert [each.result().status_code for each in waiting] == [409] * 3
        assert (running.result().status_code, answer.status_code) == (200, 409)


def drive_files(http: httpx.Client, session: str) -> None:
    files = f"{session}/files"
    assert http.put(f"{files}/sub/a", content=b"data").status_code == 204
    assert http.put(f"{files}/sub", content=b"data").status_code == 422
    packed = http.get(f"{files}/sub?tar").content
    for path, body, status in (("/", packed, 204), ("/a/", b"", 400), ("/sub/a/", packed, 422)):
        assert http.put(f"{files}{path}?tar", content=body).status_code == status
    for method in ("GET", "HEAD"):
        for path in ("/sub/a", "/sub?tar", "", "/", "/sub/", "/sub/?tar", "?tar"):
            assert http.request(method, files + path).status_code == 200
        for path, status in (("/none", 404), ("/sub", 422), ("/none/", 404), ("/sub/a/", 422)):
            assert http.request(method, files + path).status_code == status
    for wanted, status in (("bytes=1-2", 206), ("bytes=9-", 416), ("bytes=x", 400)):
        answer = http.get(f"{files}/sub/a", headers={"Range": wanted})
        assert answer.status_code == status
    assert http.get(f"{files}?after=x").status_code == 400
    for path, status in (("/sub/none", 404), ("/sub/a", 204), ("/sub/", 204), ("/", 422)):
        assert http.delete(files + path).status_code == status


def test_each_answer_is_as_it_is_described(
    http: httpx.Client, description: Description, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(description, "seen", set())
    drive(http)
    unknown = "/session/unknown"
    for method, path, _ in operations(description):
        if "{session_id}" in path:
            path = path.format(session_id="unknown", folder="x", path="x")
            assert http.request(method, path, content='{"code": ""}').status_code in (400, 404)
    assert http.get(unknown).status_code == 404
    with refusing() as answers:
        answers(description.check)
    missing = {
        (method, path, int(status))
        for method, path, operation in operations(description)
        for status in operation["responses"]
        if int(status) < 400 and (method, path, int(status)) not in description.seen
    }
    assert missing == set()
    told = {int(s) for _, _, operation in operations(description) for s in operation["responses"]}
    assert told - {status for _, _, status in description.seen} == UNPROVOKED


class refusing:  # noqa: N801 - used as a function
    """Managers that refuse nearly everything; `answers(check)` has them do so."""

    def __enter__(self) -> Callable[[Callable[[httpx.Response], None]], None]:
        self.managers = (
            ManagerProcess("--max-sessions", "1", "--session-ttl", "0.3"),
            ManagerProcess(environment={"RLM_KERNEL_TOKEN": "secret"}),
        )
        return self.answers

    def __exit__(self, *_: object) -> None:
        for manager in self.managers:
            manager.close()

    def answers(self, check: Callable[[httpx.Response], None]) -> None:
        small, locked = (
            httpx.Client(base_url=manager.url, trust_env=False, timeout=60)
            for manager in self.managers
        )
        with small, locked:
            small.event_hooks["response"] = locked.event_hooks["response"] = [check]
            session = f"/session/{small.post('/session').json()['session_id']}"
            assert small.post("/session").status_code == 429
            wait_for(lambda: small.get(session).status_code == 410)
            assert small.post(f"{session}/execute", json={"code": "1"}).status_code == 410
            assert locked.get("/sessions").status_code == 401
            assert small.get("/sessions", headers={"Host": "evil.example"}).status_code == 403


def test_an_answer_that_is_not_as_described_is_found(description: Description) -> None:
    request = httpx.Request("GET", "http://x/sessions")
    for wrong in (
        httpx.Response(201, json={"sessions": [], "max_sessions": 1}),
        httpx.Response(200, json={"sessions": [{}], "max_sessions": 1}),
        httpx.Response(200, json={"sessions": [], "max_sessions": 1, "more": 1}),
        httpx.Response(200, text="sessions"),
        httpx.Response(401, json={"error": {"code": "session_busy", "message": ""}}),
    ):
        wrong.request = request
        with pytest.raises((AssertionError, ValidationError)):
            description.check(wrong)
    right = httpx.Response(200, json={"sessions": [], "max_sessions": 1})
    right.request = request
    description.check(right)


def test_events_are_of_the_messages_that_the_description_names(
    http: httpx.Client, session: str, description: Description
) -> None:
    operation = description.document["paths"]["/session/{session_id}/execute"]["post"]
    named = operation["responses"]["200"]["content"]["text/event-stream"]["schema"]["x-events"]
    code = (
        "from IPython.display import HTML, clear_output, display\nclear_output()\nprint(1)\n"
        "display(HTML('x'), display_id='d').update(HTML('y'))\n1"
    )
    seen = set()
    for each in (code, "1 / 0"):
        headers = {"Accept": "text/event-stream"}
        answer = http.post(f"{session}/execute", json={"code": each}, headers=headers)
        for name, data in EventDecoder().feed(answer.content):
            description.validate(httpx.Response(200, content=data).json(), named[name])
            seen.add(name)
    assert seen == set(named) - {"fault"}


def test_the_design_documents_curl_lines_work_as_they_are_written(manager: ManagerProcess) -> None:
    """Its port is another, and the id of the session is put where it says so."""

    def shell(line: str) -> str:
        line = line.replace("http://localhost:8080", manager.url)
        done = subprocess.run(line, shell=True, capture_output=True, text=True, check=True)
        return done.stdout

    create = "curl -X POST http://localhost:8080/session"
    execute = (
        'curl -X POST http://localhost:8080/session/{session_id}/execute -d \'{"code": "1 + 1"}\''
    )
    session_id = httpx.Response(200, text=shell(create)).json()["session_id"]
    answer = httpx.Response(200, text=shell(execute.replace("{session_id}", session_id))).json()
    assert (answer["status"], answer["result"]) == ("ok", "2")
    shell(f"curl -X DELETE http://localhost:8080/session/{session_id}")
    assert (
        httpx.Response(200, text=shell("curl http://localhost:8080/sessions")).json()["sessions"]
        == []
    )
