"""`rlm-kernel run`, in this process and, where signals matter, in one of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
from jupyter_client.blocking.client import BlockingKernelClient

from rlm_kernel.agent.manager_process import ManagerProcess
from rlm_kernel.cli import main
from rlm_kernel.testing import Failure, Script, ScriptedModelServer, Stall, Step
from tests.agent.processes import below, wait_for_end
from tests.agent.runs import code

Command = Callable[..., tuple[int, str, str]]
FOREVER = code("secret = 42\nprint('now running')\nwhile True: pass")


OF_MANAGER = ("WASM_MANAGER_SERVICE_URL", "RLM_KERNEL_TOKEN")


def environment_of(
    server: ScriptedModelServer, folder: Path, manager: ManagerProcess | None
) -> dict[str, str]:
    ours = {
        "OPENAI_API_KEY": "a-test-key",
        "OPENAI_BASE_URL": server.base_url,
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
    }
    if manager is None:
        return ours
    return ours | dict(zip(OF_MANAGER, (manager.url, manager.token), strict=True))


@contextmanager
def started(
    server: ScriptedModelServer, folder: Path, *arguments: str, manager: ManagerProcess | None
) -> Iterator[subprocess.Popen[str]]:
    """The command over a file that holds `abc`, with its own manager unless one is given."""
    (folder / "context.txt").write_text("abc")
    others = {name: value for name, value in os.environ.items() if name not in OF_MANAGER}
    command = [sys.executable, "-m", "rlm_kernel", "run", "--context", "context.txt"]
    process = subprocess.Popen(
        [*command, "--query", "What?", "--model", server.model_name, *arguments],
        cwd=folder,
        env=others | environment_of(server, folder, manager),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def command(
    manager: ManagerProcess,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Command:
    """Exit status, stdout and stderr of the command, run in this process to its end."""

    def run(script: Script, *arguments: str) -> tuple[int, str, str]:
        with ScriptedModelServer(script) as server:
            for name, value in environment_of(server, tmp_path, manager).items():
                monkeypatch.setenv(name, value)
            words = ["--query", "What?", "--model", server.model_name]
            status = main(["run", "--context", "context.txt", *words, *arguments])
        shown = capsys.readouterr()
        return status, shown.out, shown.err

    (tmp_path / "context.txt").write_text("abc")
    monkeypatch.chdir(tmp_path)
    return run


def read_until(stream: IO[str] | None, wanted: str) -> str:
    assert stream is not None
    text = ""
    for line in stream:
        text += line
        if wanted in line:
            return text
    raise AssertionError(f"{wanted!r} never came; there was: {text}")


def test_the_answer_goes_to_stdout_and_each_step_to_stderr(
    command: Command, tmp_path: Path
) -> None:
    cell = code("print(len(context))\nprint(llm_query('ask'))")
    status, out, err = command([cell, "told", "FINAL(3)"])
    assert (status, out) == (0, "3\n")
    for shown in (
        "── turn 1 of 20 ──",
        "▌ print(len(context))",
        "  3\n",
        "→ 1 llm_query: ask",
        "told",
        "── answer after 2 turns ──",
        "3 model calls",
    ):
        assert shown in err
    assert not list((tmp_path / "runtime").iterdir())


def test_a_folder_and_files_beside_it_are_one_context(command: Command, tmp_path: Path) -> None:
    (tmp_path / "notes" / "deep").mkdir(parents=True)
    (tmp_path / "notes" / "deep" / "a.md").write_text("a")
    script = [code("FINAL(dict(context))")]
    status, out, _ = command(script, "--context", "notes", "context.txt")
    assert (status, out) == (0, "{'context.txt': 'abc', 'notes/deep/a.md': 'a'}\n")
    assert command(script, "--context", "notes")[1] == "{'deep/a.md': 'a'}\n"


def test_without_a_manager_it_runs_one_of_its_own_and_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    with ScriptedModelServer([FOREVER]) as server:
        with started(server, tmp_path, manager=None) as process:
            read_until(process.stderr, "now running")
            processes = below(process.pid)
            assert len(processes) >= 3, "a manager, its zygote and a session"
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=60) == 143
        wait_for_end(processes)
    assert not list((tmp_path / "runtime").iterdir())


def test_its_own_manager_ends_also_when_the_command_is_killed(tmp_path: Path) -> None:
    with ScriptedModelServer([FOREVER]) as server:
        with started(server, tmp_path, manager=None) as process:
            read_until(process.stderr, "now running")
            processes = below(process.pid)
            process.send_signal(signal.SIGKILL)
        wait_for_end(processes)


def test_ctrl_c_stops_the_cell_and_deletes_the_session(
    manager: ManagerProcess, tmp_path: Path
) -> None:
    before = below(manager.pid)
    with (
        ScriptedModelServer([FOREVER]) as server,
        started(server, tmp_path, manager=manager) as process,
    ):
        read_until(process.stderr, "now running")
        sessions = below(manager.pid) - before
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out) == (130, "")
        assert "Traceback" not in err
    wait_for_end(sessions)
    assert not list((tmp_path / "runtime").iterdir())


def test_a_person_can_look_into_the_session_with_the_file_it_names(
    manager: ManagerProcess, tmp_path: Path
) -> None:
    script: list[Step] = [code("secret = 42"), Stall()]
    with (
        ScriptedModelServer(script) as server,
        started(server, tmp_path, manager=manager) as process,
    ):
        shown = read_until(process.stderr, "jupyter console --existing")
        server.wait_for_requests(2, timeout=60)
        file = re.search(r"--existing (\S+)", shown)
        assert file is not None
        assert Path(file[1]).stat().st_mode & 0o077 == 0
        client = BlockingKernelClient(connection_file=file[1])
        client.load_connection_file()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=30)
            reply = client.execute("", user_expressions={"it": "secret"}, reply=True, timeout=30)
        finally:
            client.stop_channels()
        assert reply["content"]["user_expressions"]["it"]["data"]["text/plain"] == "42"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def test_a_model_that_fails_is_one_line_on_stderr(command: Command) -> None:
    status, out, err = command([Failure(400, "out of order")])
    assert (status, out) == (3, "")
    assert "out of order" in err.splitlines()[-1]
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--context", "missing.txt"], "cannot read missing.txt"),
        (["--max-iterations", "0"], "max_iterations must be at least 1"),
    ],
)
def test_what_cannot_work_is_said_in_one_line(
    command: Command, arguments: list[str], complaint: str
) -> None:
    status, out, err = command([], *arguments)
    assert (status, out) == (2, "")
    assert complaint in err.splitlines()[-1]
    assert "Traceback" not in err


def test_several_files_are_a_dict(command: Command, tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_text("de")
    script = [code("FINAL(sorted(context.items()))")]
    arguments = ["--context", "context.txt", "other.txt"]
    status, out, _ = command(script, *arguments)
    assert (status, out) == (0, "[('context.txt', 'abc'), ('other.txt', 'de')]\n")
