"""Kernels, kernelspecs and the rest of Jupyter Server's routes over the manager's sessions."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from tests.manager.process import ManagerProcess
from tests.manager.test_sessions import run

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def start(http: httpx.Client, **body: Any) -> str:
    response = http.post("/api/kernels", json=body)
    assert response.status_code == 201
    return str(response.json()["id"])


def test_a_session_of_a_program_is_a_kernel(http: httpx.Client, session: str) -> None:
    (kernel,) = http.get("/api/kernels").json()
    assert f"/session/{kernel['id']}" == session
    assert MOMENT.fullmatch(kernel.pop("last_activity"))
    assert kernel == {
        "id": session.removeprefix("/session/"),
        "name": "rlm-kernel",
        "execution_state": "idle",
        "connections": 0,
    }


def test_a_kernel_that_is_started_is_a_session(http: httpx.Client) -> None:
    kernel_id = start(http, name="rlm-kernel")
    assert run(http, f"/session/{kernel_id}", "6 * 7")["result"] == "42"


def test_a_start_without_a_name_or_a_body_will_do(http: httpx.Client) -> None:
    start(http)
    assert http.post("/api/kernels").status_code == 201


def test_no_other_kernel_is_started(http: httpx.Client) -> None:
    response = http.post("/api/kernels", json={"name": "python3"})
    assert response.status_code == 501
    assert "python3" in response.json()["message"]
    assert http.get("/api/kernels").json() == []


def test_a_deleted_kernel_is_gone_everywhere(http: httpx.Client, session: str) -> None:
    kernel = session.replace("/session", "/api/kernels")
    assert http.delete(kernel).status_code == 204
    for method, path in (("GET", kernel), ("DELETE", kernel), ("GET", session)):
        assert http.request(method, path).status_code == 404


def test_a_restart_forgets_the_variables(http: httpx.Client, session: str) -> None:
    run(http, session, "x = 1")
    response = http.post(f"{session.replace('/session', '/api/kernels')}/restart")
    assert response.json()["id"] in session
    assert run(http, session, "x")["error"]["ename"] == "NameError"


def test_an_interrupt_of_an_idle_kernel_does_nothing(http: httpx.Client, session: str) -> None:
    path = f"{session.replace('/session', '/api/kernels')}/interrupt"
    assert http.post(path).status_code == 204
    assert run(http, session, "1")["status"] == "ok"


@pytest.mark.parametrize("path", ["", "/restart", "/interrupt", "/channels"])
def test_an_unknown_kernel_is_told_of_in_jupyters_form(http: httpx.Client, path: str) -> None:
    method = "POST" if path in ("/restart", "/interrupt") else "GET"
    unknown = "/api/kernels/00000000-0000-0000-0000-000000000000"
    response = http.request(method, unknown + path)
    assert "message" in response.json()
    assert response.status_code == (500 if path == "/restart" else 404)


def test_the_only_kernelspec_has_its_logos(http: httpx.Client) -> None:
    specs = http.get("/api/kernelspecs").json()
    assert specs["default"] == "rlm-kernel"
    assert list(specs["kernelspecs"]) == ["rlm-kernel"]
    spec = http.get("/api/kernelspecs/rlm-kernel").json()
    assert spec["spec"]["language"] == "python"
    assert spec["spec"]["argv"] == []
    for logo in spec["resources"].values():
        assert http.get(logo).status_code == 200
    assert http.get("/api/kernelspecs/python3").status_code == 404


def test_the_status_counts_kernels(http: httpx.Client, session: str) -> None:
    status = http.get("/api/status").json()
    assert (status["kernels"], status["connections"]) == (1, 0)
    assert MOMENT.fullmatch(status["started"])
    assert MOMENT.fullmatch(status["last_activity"])


def test_there_is_somebody(http: httpx.Client) -> None:
    assert http.get("/api/me").json()["identity"]["username"] == "owner"


def test_the_version_is_told(http: httpx.Client) -> None:
    assert re.match(r"\d+\.\d+", http.get("/api").json()["version"])


def test_a_body_that_is_too_large_is_refused(http: httpx.Client) -> None:
    for body in (b"x" * (17 << 20), iter([b"x" * (1 << 20)] * 17)):
        response = http.post("/api/kernels", content=body)
        assert response.status_code == 413
        assert response.json()["error"]["code"] == "body_too_large"


def test_one_refusal_is_enough(http: httpx.Client) -> None:
    headers = {"Origin": "http://evil.example"}
    body = iter([b"x" * (1 << 20)] * 17)
    assert http.post("/api/kernels", content=body, headers=headers).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_the_door_judges_these_routes_too(http: httpx.Client, headers: dict[str, str]) -> None:
    for path in ("/api", "/api/kernels", "/kernelspecs/rlm-kernel/logo-svg.svg"):
        assert http.get(path, headers=headers).status_code == 403


def test_no_page_of_another_site_may_read_the_answers(http: httpx.Client) -> None:
    assert "Access-Control-Allow-Origin" not in http.get("/api/kernels").headers


def test_there_are_no_more_kernels_than_sessions_allowed() -> None:
    with (
        ManagerProcess("--max-sessions", "1") as manager,
        httpx.Client(base_url=manager.url, trust_env=False, timeout=60) as http,
    ):
        kernel_id = start(http)
        document = {"path": "a.ipynb", "type": "notebook", "kernel": {"name": "rlm-kernel"}}
        for response in (
            http.post("/api/kernels", json={}),
            http.post("/api/sessions", json=document),
        ):
            assert response.status_code == 429
            assert int(response.headers["Retry-After"]) > 0
            assert "MAX_SESSIONS" in response.json()["message"]
        assert [kernel["id"] for kernel in http.get("/api/kernels").json()] == [kernel_id]
