"""`rlm-kernel attach` in a real terminal, on sessions that programs use at the same time."""

from __future__ import annotations

import os
import socket
import stat
import sys
import threading
from pathlib import Path

import httpx
import pytest

from rlm_kernel.cli import main
from rlm_kernel.manager.client import ManagerClient
from tests.manager.process import ManagerProcess
from tests.manager.test_sessions import run
from tests.terminal import Terminal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where attached consoles keep their temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@pytest.fixture
def attach(manager: ManagerProcess, session: str, folder: Path, tmp_path: Path) -> Terminal:
    words = ["attach", session.removeprefix("/session/"), "--url", manager.url]
    return Terminal(
        [sys.executable, "-m", "rlm_kernel", *words],
        {
            **os.environ,
            "TMPDIR": str(folder),
            "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
            "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
            "USER": "visitor",
        },
    )


def test_a_visitor_sees_what_was_and_what_is_and_leaves_the_session_alive(
    http: httpx.Client, session: str, attach: Terminal, folder: Path
) -> None:
    run(http, session, "x = 20; print('before')")
    with attach as console:
        console.until("In [1]: x = 20; print('before')")
        console.until("before\n")
        console.until("In [2]: ")
        [file] = folder.glob("*/connection.json")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        run(http, session, "print('mean' + 'while')")
        console.until("meanwhile\n")
        console.until("In [3]: ")
        console.type("x += 1; x * 2\r")
        console.until("Out[3]: 42")
        console.until("In [4]: ")
        console.type("exit\r")
        assert console.end() == 0
        assert f"session {session.removeprefix('/session/')} lives on" in console.shown
    assert list(folder.iterdir()) == []
    assert run(http, session, "x")["result"] == "21"


def test_ctrl_c_interrupts_the_cell_that_was_typed(attach: Terminal) -> None:
    with attach as console:
        console.until("In [1]: ")
        console.type("print('run' + 'ning'); exec('while True: pass')\r")
        console.until("running\n")
        console.type("\x03")
        console.until("KeyboardInterrupt")
        console.until("In [2]: ")
        console.type("\x04")
        assert console.end() == 0


def test_it_opens_while_a_cell_runs_and_shows_what_that_prints(
    http: httpx.Client, session: str, attach: Terminal
) -> None:
    code = "print('one'); go = False\nwhile not go: await __import__('asyncio').sleep(0.01)"
    cell = threading.Thread(target=run, args=(http, session, code))
    cell.start()
    with attach as console:
        console.until("one\n")
        console.until("In [2]: ")
        http.post(f"{session}/interrupt")
        cell.join()
        console.until("KeyboardInterrupt")
        console.until("In [2]: ")
        console.type("\x04")
        assert console.end() == 0


def test_the_end_of_the_session_ends_it_with_one_line(
    http: httpx.Client, session: str, attach: Terminal
) -> None:
    with attach as console:
        console.until("In [1]: ")
        http.delete(session)
        assert console.end() == 3
        last = console.shown.strip().splitlines()[-1]
    assert last.startswith("rlm-kernel: error: there is no session '")


def test_an_unknown_session_is_told_of_in_one_line(
    manager: ManagerProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["attach", "nobody", "--url", manager.url]) == 3
    assert capsys.readouterr().err == "rlm-kernel: error: there is no session 'nobody'\n"


def test_an_expired_session_is_told_of_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    with ManagerProcess("--session-ttl", "0.1") as manager, httpx.Client(trust_env=False) as http:
        made = http.post(f"{manager.url}/session", timeout=60).json()
        while http.get(f"{manager.url}/session/{made['session_id']}").status_code == 200:
            threading.Event().wait(0.05)
        assert main(["attach", made["session_id"], "--url", manager.url]) == 3
    assert "after it had been idle for 0.1 s (SESSION_TTL)" in capsys.readouterr().err


def test_a_manager_behind_a_forwarded_port_is_told_from_one_on_this_machine(
    manager: ManagerProcess, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    async def connection(_client: ManagerClient, _session: str) -> dict[str, object]:
        return {"ip": "127.0.0.1", "shell_port": port}

    monkeypatch.setattr(ManagerClient, "connection", connection)
    assert main(["attach", "far-away", "--url", manager.url]) == 3
    assert "the manager is not on this machine; use `rlm-kernel lab`" in capsys.readouterr().err


def test_without_jupyter_console_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "jupyter_console.app", None)
    monkeypatch.delitem(sys.modules, "rlm_kernel.cli.attached_console", raising=False)
    assert main(["attach", "anything"]) == 2
    assert "pip install 'rlm-kernel[lab]'" in capsys.readouterr().err
