"""`rlm-kernel lab`: a JupyterLab on this machine whose kernels are the sessions of a manager."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from rlm_kernel.cli import main
from tests.manager.jupyter.socket_client import SocketClient, text_of
from tests.manager.process import ManagerProcess
from tests.manager.test_sessions import run


class LabProcess:
    """The command, answering when the constructor returns; `url` and `token` are the page's."""

    def __init__(self, manager_url: str, folder: Path) -> None:
        runtime = folder / "runtime"
        (folder / "notebooks").mkdir()
        words = ["--no-browser", "--allow-root", "--port", "0", "--url", manager_url]
        self.log = folder / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "rlm_kernel", "lab", str(folder / "notebooks"), *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={
                    **os.environ,
                    "JUPYTER_RUNTIME_DIR": str(runtime),
                    "JUPYTER_CONFIG_DIR": str(folder / "config"),
                    "JUPYTER_DATA_DIR": str(folder / "data"),
                },
            )
        about = runtime / f"jpserver-{self.process.pid}.json"
        while not about.exists() or not about.read_text().endswith("}"):
            assert self.process.poll() is None, self.log.read_text()
            threading.Event().wait(0.05)
        said = json.loads(about.read_text())
        self.url, self.token = said["url"].rstrip("/"), said["token"]

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lab-command")


@pytest.fixture(scope="module")
def process(manager: ManagerProcess, folder: Path) -> Iterator[LabProcess]:
    process = LabProcess(manager.url, folder)
    yield process
    process.stop()


@pytest.fixture
def page(process: LabProcess) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=process.url,
        headers={"Authorization": f"token {process.token}"},
        trust_env=False,
        timeout=60,
    ) as client:
        yield client


def kernels(page: httpx.Client) -> list[str]:
    return [kernel["id"] for kernel in page.get("/api/kernels").json()]


def test_the_sessions_of_programs_are_its_kernels(
    http: httpx.Client, session: str, page: httpx.Client
) -> None:
    assert kernels(page) == [session.removeprefix("/session/")]
    http.delete(session)
    assert kernels(page) == []


def test_a_cell_runs_in_the_session(
    http: httpx.Client, session: str, page: httpx.Client, process: LabProcess
) -> None:
    run(http, session, "x = 41")
    [kernel] = kernels(page)
    header = {"Authorization": f"token {process.token}"}
    with SocketClient(process.url, kernel, v1=False, header=header) as client:
        assert text_of(client.execute("x += 1; print(x)")) == "42\n"
    assert run(http, session, "x")["result"] == "42"


def test_it_interrupts_and_restarts(http: httpx.Client, session: str, page: httpx.Client) -> None:
    run(http, session, "x = 1")
    [kernel] = kernels(page)
    assert page.post(f"/api/kernels/{kernel}/interrupt").status_code == 204
    assert page.post(f"/api/kernels/{kernel}/restart").status_code == 200
    assert run(http, session, "'x' in globals()")["result"] == "False"


def test_a_notebook_adopts_a_session(session: str, page: httpx.Client) -> None:
    kernel = session.removeprefix("/session/")
    [known] = kernels(page)
    body = {"path": "a.ipynb", "type": "notebook", "name": "", "kernel": {"id": known}}
    assert page.post("/api/sessions", json=body).json()["kernel"]["id"] == kernel


def test_notebooks_are_files_of_the_directory(page: httpx.Client, folder: Path) -> None:
    made = page.post("/api/contents", json={"type": "notebook"}).json()
    assert (folder / "notebooks" / made["path"]).is_file()


def test_it_has_no_terminals_and_runs_no_script_that_a_cell_displays(page: httpx.Client) -> None:
    assert page.get("/api/terminals").status_code == 404
    shown = page.get("/lab")
    assert "script-src 'self' 'unsafe-eval'" in shown.headers["Content-Security-Policy"]
    assert "@jupyterlab/javascript-extension" in shown.text
    assert page.get("/lab/api/extensions").status_code == 200
    body = {"cmd": "install", "extension_name": "x"}
    assert page.post("/lab/api/extensions", json=body).status_code >= 400


def test_its_end_ends_what_it_started_and_nothing_else(
    http: httpx.Client, manager: ManagerProcess, session: str, tmp_path: Path
) -> None:
    process = LabProcess(manager.url, tmp_path)
    header = {"Authorization": f"token {process.token}"}
    with httpx.Client(base_url=process.url, headers=header, trust_env=False, timeout=60) as page:
        started = page.post("/api/kernels", json={"name": "rlm-kernel"}).json()["id"]
        assert set(kernels(page)) == {started, session.removeprefix("/session/")}
    process.stop()
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
