"""REQUIRE_SEAL=1 on a system that lacks a layer of the seal: nothing runs, and all say why."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.kernel.peer import Peer
from tests.kernel.test_app import started
from tests.manager.process import ManagerProcess

NO_LANDLOCK = """
from rlm_kernel.sandbox import landlock
def lacking():
    raise OSError("there is none")
landlock.restrict_files = lacking
"""
REASON = "these layers are missing of the seal: landlock"


@pytest.fixture(autouse=True)
def lacking_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has every Python that is started from now on find no Landlock."""
    (tmp_path / "sitecustomize.py").write_text(NO_LANDLOCK)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("REQUIRE_SEAL", "1")


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rlm_kernel", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_code_is_not_run() -> None:
    done = command("exec", "-c", "print('ran')")
    assert (done.returncode, done.stdout) == (3, "")
    assert REASON in done.stderr


def test_a_manager_ends() -> None:
    done = command("serve", "--port", "0")
    assert done.returncode == 3
    assert REASON in done.stderr


def test_a_question_is_not_answered(tmp_path: Path) -> None:
    context = tmp_path / "context"
    context.write_text("context")
    done = command("run", "--context", str(context), "--query", "?", "--model", "openai/none")
    assert done.returncode == 3
    assert REASON in done.stderr


def test_a_kernel_runs_no_cell(tmp_path: Path) -> None:
    with started(tmp_path / "kernel.json") as (_, connection), Peer(connection) as peer:
        reply = peer.execute("print('ran')").reply["content"]
    assert reply["status"] == "error"
    assert REASON in reply["evalue"]


def test_without_it_a_manager_serves_and_names_the_missing_layer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("REQUIRE_SEAL")
    with ManagerProcess() as manager, httpx.Client(base_url=manager.url, timeout=60) as http:
        http.post("/session")
        assert http.get("/health").json()["unsealed"] == ["landlock"]
        assert "without these layers of their seal: landlock" in manager.log()
