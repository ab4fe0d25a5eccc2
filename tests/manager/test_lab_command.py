"""`rlm-kernel lab`: a JupyterLab on this machine whose kernels are the sessions of a manager."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from rlm_kernel.cli import main
from tests.manager.jupyter.socket_client import SocketClient, text_of
from tests.manager.jupyter_process import JupyterProcess
from tests.manager.process import ManagerProcess
from tests.manager.test_sessions import run


def lab_on(manager: ManagerProcess, folder: Path) -> JupyterProcess:
    (folder / "notebooks").mkdir()
    words = ["--no-browser", "--allow-root", "--port", "0", "--url", manager.url]
    return JupyterProcess(folder, "rlm_kernel", "lab", str(folder / "notebooks"), *words)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lab-command")


@pytest.fixture(scope="module")
def lab(manager: ManagerProcess, folder: Path) -> Iterator[JupyterProcess]:
    with lab_on(manager, folder) as lab:
        yield lab


def test_the_sessions_of_programs_are_its_kernels(
    http: httpx.Client, session: str, lab: JupyterProcess
) -> None:
    assert lab.kernels() == [session.removeprefix("/session/")]
    http.delete(session)
    assert lab.kernels() == []


def test_a_cell_runs_in_the_session(http: httpx.Client, session: str, lab: JupyterProcess) -> None:
    run(http, session, "x = 41")
    [kernel] = lab.kernels()
    with SocketClient(lab.url, kernel, v1=False, header=lab.headers) as client:
        assert text_of(client.execute("x += 1; print(x)")) == "42\n"
    assert run(http, session, "x")["result"] == "42"


def test_it_interrupts_and_restarts(http: httpx.Client, session: str, lab: JupyterProcess) -> None:
    run(http, session, "x = 1")
    [kernel] = lab.kernels()
    assert lab.http.post(f"/api/kernels/{kernel}/interrupt").status_code == 204
    assert lab.http.post(f"/api/kernels/{kernel}/restart").status_code == 200
    assert run(http, session, "'x' in globals()")["result"] == "False"


def test_a_notebook_adopts_a_session(session: str, lab: JupyterProcess) -> None:
    [kernel] = lab.kernels()
    assert lab.adopt(kernel).json()["kernel"]["id"] == session.removeprefix("/session/")


def test_a_session_that_it_did_not_start_is_only_let_go_of(
    http: httpx.Client, session: str, lab: JupyterProcess
) -> None:
    [kernel] = lab.kernels()
    other = http.post("/session").json()["session_id"]
    document = lab.adopt(kernel).json()
    lab.kernels()
    taken = lab.http.patch(f"/api/sessions/{document['id']}", json={"kernel": {"id": other}})
    assert taken.json()["kernel"]["id"] == other
    assert lab.http.delete(f"/api/kernels/{other}").status_code == 204
    assert run(http, session, "1")["result"] == "1"
    assert run(http, f"/session/{other}", "1")["result"] == "1"


def test_notebooks_are_files_of_the_directory(lab: JupyterProcess, folder: Path) -> None:
    made = lab.http.post("/api/contents", json={"type": "notebook"}).json()
    assert (folder / "notebooks" / made["path"]).is_file()


def test_it_has_no_terminals_and_runs_no_script_that_a_cell_displays(lab: JupyterProcess) -> None:
    assert lab.http.get("/api/terminals").status_code == 404
    shown = lab.http.get("/lab")
    assert "script-src 'self' 'unsafe-eval'" in shown.headers["Content-Security-Policy"]
    assert "@jupyterlab/javascript-extension" in shown.text
    assert lab.http.get("/lab/api/extensions").status_code == 200
    body = {"cmd": "install", "extension_name": "x"}
    assert lab.http.post("/lab/api/extensions", json=body).status_code >= 400


def test_its_end_ends_what_it_started_and_nothing_else(
    http: httpx.Client, manager: ManagerProcess, session: str, tmp_path: Path
) -> None:
    with lab_on(manager, tmp_path) as lab:
        started = lab.http.post("/api/kernels", json={"name": "rlm-kernel"}).json()["id"]
        assert set(lab.kernels()) == {started, session.removeprefix("/session/")}
    assert http.get(f"/session/{started}").status_code == 404
    assert run(http, session, "1")["result"] == "1"


@pytest.mark.parametrize(
    ("arguments", "status", "complaint"),
    [
        (["--url", "http://127.0.0.1:9"], 3, "no answer from http://127.0.0.1:9"),
        (["no-such-directory"], 2, "there is no directory 'no-such-directory'"),
    ],
)
def test_what_cannot_work_is_told_of_in_one_line(
    arguments: list[str], status: int, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lab", *arguments]) == status
    said = capsys.readouterr().err
    assert complaint in said
    assert said.count("\n") == 1


def test_where_jupyterlab_is_not_installed_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "jupyterlab.labapp", None)
    assert main(["lab"]) == 2
    assert "pip install 'rlm-kernel[lab]'" in capsys.readouterr().err
