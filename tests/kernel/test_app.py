"""The program that a kernelspec starts, as a process: its start, its signals and its end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rlm_kernel.kernel import ConnectionInfo
from rlm_kernel.kernel.app import main
from tests.kernel.peer import Peer
from tests.kernel.processes import descendants, is_running, wait_until_gone

COMMAND = [sys.executable, "-P", "-m", "rlm_kernel.kernel", "-f"]
PARENT = """
import os, subprocess, sys
environment = os.environ | {"JPY_PARENT_PID": str(os.getpid())}
print(subprocess.Popen(sys.argv[1:], env=environment).pid, flush=True)
sys.stdin.read()
"""


@contextmanager
def started(file: Path) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, Any]]]:
    """The running program and the connection it serves."""
    process = subprocess.Popen([*COMMAND, str(file)], stdin=subprocess.DEVNULL)
    try:
        yield process, connection_of(file)
    finally:
        process.kill()
        process.wait()


def connection_of(file: Path) -> dict[str, Any]:
    """The content of the connection file, once the program has written it."""
    while True:
        try:
            connection: dict[str, Any] = json.loads(file.read_bytes())
        except (OSError, ValueError):
            time.sleep(0.02)
        else:
            return connection


def test_it_executes_is_interrupted_by_sigint_and_ends_on_shutdown(tmp_path: Path) -> None:
    file = tmp_path / "kernel.json"
    with started(file) as (process, connection), Peer(connection) as peer:
        assert peer.ask("kernel_info_request").content["status"] == "ok"
        running = peer.start("print('running')\nwhile True: pass")
        peer.await_text("running")
        process.send_signal(signal.SIGINT)
        assert peer.finish(running).content["ename"] == "KeyboardInterrupt"
        assert peer.execute("'alive'").content["status"] == "ok"
        children = descendants(process.pid)
        peer.reply(peer.send("shutdown_request", {"restart": False}, "control"), "control")
        assert process.wait() == 0
        wait_until_gone(children)
    assert len(children) >= 2
    assert not file.exists()


def test_sigterm_ends_it_cleanly_while_it_boots(tmp_path: Path) -> None:
    with started(tmp_path / "kernel.json") as (process, connection):
        while not (children := descendants(process.pid)):
            time.sleep(0.02)
        with Peer(connection) as peer:
            waiting = peer.start("1")
            peer.until_published(lambda m: m["content"].get("execution_state") == "busy")
            process.terminate()
            assert peer.reply(waiting)["content"]["ename"] == "SandboxClosed"
        assert process.wait() == 0
        wait_until_gone(children)


def test_a_kill_leaves_no_process_behind(tmp_path: Path) -> None:
    with started(tmp_path / "kernel.json") as (process, connection), Peer(connection) as peer:
        peer.start("print('running')\nwhile True: pass")
        peer.await_text("running")
        children = descendants(process.pid)
        process.kill()
        process.wait()
        wait_until_gone(children)


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    file = tmp_path / "kernel.json"
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, *COMMAND, str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    with parent.stdin, parent.stdout:
        kernel = int(parent.stdout.readline())
        connection_of(file)
        family = {kernel, *descendants(kernel)}
        assert is_running(kernel)
        parent.kill()
        parent.wait()
        wait_until_gone(family)
    assert not file.exists()


def test_a_given_file_is_served_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "kernel.json"
    ConnectionInfo(key="given").write(file)
    given = json.loads(file.read_text())
    with started(file) as (process, connection):
        with Peer(given) as peer:
            assert peer.ask("kernel_info_request").content["status"] == "ok"
        process.terminate()
        assert process.wait() == 0
    assert connection == given
    assert json.loads(file.read_text()) == given


def test_a_file_that_cannot_be_used_ends_it_with_a_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "kernel.json"
    file.write_text('{"transport": "pigeon"}')
    before = signal.getsignal(signal.SIGINT)
    try:
        assert main(["-f", str(file), "--unknown"]) == 1
    finally:
        signal.signal(signal.SIGINT, before)
    assert "transport" in capsys.readouterr().err
