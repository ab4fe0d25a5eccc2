"""`rlm-kernel run --save`: the trajectory as a file, also of a run that fails or is stopped."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import nbformat
import pytest

from rlm_kernel.agent import SidecarREPLFactory
from rlm_kernel.agent.manager_process import ManagerProcess
from rlm_kernel.agent.trajectory import Recorder, load
from rlm_kernel.agent.trajectory.saving import saved_at_the_end
from rlm_kernel.errors import ConfigurationError
from rlm_kernel.testing import Failure, Script, ScriptedModelServer, Step
from tests.agent.runs import code
from tests.agent.test_command import FOREVER, read_until, started
from tests.agent.trajectory.again import outputs_of, run_again
from tests.agent.trajectory.test_recorder import started as run_started

SUFFIXES = ("ipynb", "jsonl", "json", "txt")


def run_command(
    script: Script, folder: Path, manager: ManagerProcess, *arguments: str
) -> tuple[int, str]:
    """Exit status and stderr."""
    with (
        ScriptedModelServer(script) as server,
        started(server, folder, *arguments, manager=manager) as process,
    ):
        _, err = process.communicate(timeout=120)
        return process.returncode, err


def test_a_run_is_saved_in_each_form(
    factory: SidecarREPLFactory, manager: ManagerProcess, tmp_path: Path
) -> None:
    script = [code("print(len(context), llm_query('what is it?'))"), "letters", "FINAL(3 letters)"]
    status, err = run_command(
        script, tmp_path, manager, *(f"--save=run.{suffix}" for suffix in SUFFIXES)
    )
    assert status == 0, err
    assert "saved: run.ipynb" in err
    made = nbformat.read(tmp_path / "run.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    nbformat.validate(made)
    assert outputs_of(run_again(factory, made)) == outputs_of(made)
    assert outputs_of(made)[1][0]["text"] == "3 letters\n"
    assert load(tmp_path / "run.json").root.status == "answered"
    kinds = [json.loads(line)["type"] for line in (tmp_path / "run.jsonl").read_text().splitlines()]
    assert kinds == ["metadata", "iteration", "iteration"]
    assert "answer (text): 3 letters" in (tmp_path / "run.txt").read_text()
    for suffix in SUFFIXES:
        assert "a-test-key" not in (tmp_path / f"run.{suffix}").read_text()


def test_a_run_that_fails_is_saved(manager: ManagerProcess, tmp_path: Path) -> None:
    script: list[Step] = [code("x = 1"), Failure(400, "no more")]
    status, err = run_command(script, tmp_path, manager, "--save", "run.json")
    assert status != 0
    assert "no more" in err.splitlines()[-1]
    root = load(tmp_path / "run.json").root
    assert (root.status, [block.code for block in root.blocks]) == ("failed", ["x = 1"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_is_saved(
    manager: ManagerProcess, tmp_path: Path, number: signal.Signals
) -> None:
    with (
        ScriptedModelServer([FOREVER]) as server,
        started(server, tmp_path, "--save", "run.ipynb", manager=manager) as process,
    ):
        read_until(process.stderr, "  now running")
        process.send_signal(number)
        assert process.wait(timeout=60) == 128 + number
    made = nbformat.read(tmp_path / "run.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    nbformat.validate(made)
    assert outputs_of(made)[1][0]["text"] == "now running\n"
    assert made.metadata.rlm_kernel.status == "unfinished"
    words = "".join(cell.source for cell in made.cells)
    assert "The run was stopped before it had an answer." in words


@pytest.mark.parametrize(
    ("name", "reason"), [("run.pdf", "save as one of .ipynb"), ("none/run.json", "no such folder")]
)
def test_a_name_that_cannot_work_is_refused_before_anything_starts(
    manager: ManagerProcess, tmp_path: Path, name: str, reason: str
) -> None:
    with ScriptedModelServer(["FINAL(1)"]) as server:
        with started(server, tmp_path, "--save", name, manager=manager) as process:
            _, err = process.communicate(timeout=60)
        assert server.requests == []
    assert process.returncode != 0
    assert reason in err
    assert len(err.splitlines()) == 1


def test_what_cannot_be_saved_does_not_hide_why_the_run_ended(tmp_path: Path) -> None:
    recorder = Recorder()
    recorder.take(run_started())
    said: list[str] = []
    (tmp_path / "run.json").mkdir()
    with (
        pytest.raises(ZeroDivisionError),
        saved_at_the_end(recorder, [tmp_path / "run.json"], said.append),
    ):
        _ = 1 / 0
    assert "cannot be written" in said[0]
    assert [each.name for each in tmp_path.iterdir()] == ["run.json"]


def test_a_file_that_is_no_trajectory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(ConfigurationError, match="is no trajectory"):
        load(tmp_path / "run.json")
