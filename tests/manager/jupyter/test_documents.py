"""Jupyter's sessions: notebooks and consoles, and the kernels that they use."""

from __future__ import annotations

from typing import Any

import httpx

from tests.manager.test_sessions import run

NOTEBOOK = {"path": "work.ipynb", "name": "work.ipynb", "type": "notebook"}


def id_of(session: str) -> str:
    return session.removeprefix("/session/")


def open_notebook(http: httpx.Client, kernel: dict[str, Any], **changes: Any) -> dict[str, Any]:
    response = http.post("/api/sessions", json={**NOTEBOOK, "kernel": kernel, **changes})
    assert response.status_code == 201
    model: dict[str, Any] = response.json()
    return model


def kernels(http: httpx.Client) -> list[str]:
    return [kernel["id"] for kernel in http.get("/api/kernels").json()]


def test_a_session_of_a_program_is_listed_as_a_console(http: httpx.Client, session: str) -> None:
    (listed,) = http.get("/api/sessions").json()
    assert (listed["id"], listed["type"]) == (id_of(session), "console")
    assert listed["kernel"]["id"] == id_of(session)
    assert http.get(f"/api/sessions/{listed['id']}").json() == listed


def test_a_notebook_adopts_the_kernel_that_it_names(http: httpx.Client, session: str) -> None:
    opened = open_notebook(http, {"id": id_of(session)})
    assert opened["kernel"]["id"] == id_of(session)
    assert opened["notebook"] == {"path": "work.ipynb", "name": "work.ipynb"}
    assert http.get("/api/sessions").json() == [opened]


def test_a_notebook_may_have_a_fresh_kernel(http: httpx.Client) -> None:
    opened = open_notebook(http, {"name": "rlm-kernel"})
    assert run(http, f"/session/{opened['kernel']['id']}", "6 * 7")["result"] == "42"


def test_a_path_has_one_session(http: httpx.Client, session: str) -> None:
    opened = open_notebook(http, {"id": id_of(session)})
    assert open_notebook(http, {"name": "rlm-kernel"}) == opened


def test_a_listed_session_is_attached_to_by_its_path(http: httpx.Client, session: str) -> None:
    (listed,) = http.get("/api/sessions").json()
    opened = open_notebook(http, {"name": "rlm-kernel"}, path=listed["path"], type="console")
    assert opened["kernel"]["id"] == id_of(session)
    assert kernels(http) == [id_of(session)]


def test_a_document_may_be_renamed(http: httpx.Client, session: str) -> None:
    opened = open_notebook(http, {"id": id_of(session)})
    path = f"/api/sessions/{opened['id']}"
    renamed = http.patch(path, json={"path": "other.ipynb", "name": "other.ipynb"}).json()
    assert renamed["path"] == "other.ipynb"
    assert http.get(path).json() == renamed
    assert kernels(http) == [id_of(session)]


def test_a_notebook_that_takes_another_kernel_leaves_a_programs_session(
    http: httpx.Client, session: str
) -> None:
    opened = open_notebook(http, {"id": id_of(session)})
    changed = http.patch(f"/api/sessions/{opened['id']}", json={"kernel": {"name": "rlm-kernel"}})
    assert changed.json()["kernel"]["id"] != id_of(session)
    assert kernels(http) == [id_of(session), changed.json()["kernel"]["id"]]


def test_a_notebook_that_takes_another_kernel_ends_its_own(
    http: httpx.Client, session: str
) -> None:
    opened = open_notebook(http, {"name": "rlm-kernel"})
    http.patch(f"/api/sessions/{opened['id']}", json={"kernel": {"id": id_of(session)}})
    assert kernels(http) == [id_of(session)]


def test_a_deleted_session_takes_its_kernel_along(http: httpx.Client, session: str) -> None:
    opened = open_notebook(http, {"id": id_of(session)})
    assert http.delete(f"/api/sessions/{opened['id']}").status_code == 204
    assert http.get(session).status_code == 404
    assert http.get("/api/sessions").json() == []


def test_what_cannot_be_opened_is_refused(http: httpx.Client, session: str) -> None:
    gone = {"id": "00000000-0000-0000-0000-000000000000"}
    for body, status in (
        ({}, 400),
        ([], 400),
        ({"path": "a"}, 400),
        ({**NOTEBOOK, "kernel": 1}, 400),
        ({**NOTEBOOK, "kernel": {"name": "python3"}}, 501),
        ({**NOTEBOOK, "kernel": gone}, 404),
    ):
        assert http.post("/api/sessions", json=body).status_code == status
    assert http.get(f"/api/sessions/{gone['id']}").status_code == 404
    assert http.patch(f"/api/sessions/{gone['id']}", json={}).status_code == 404
    assert http.patch(f"/api/sessions/{id_of(session)}", json=[]).status_code == 400
