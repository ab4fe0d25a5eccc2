"""`rlm-kernel eval` against a scripted model over real HTTP, with real sessions."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from rlm_kernel.agent.evaluation import Result
from rlm_kernel.agent.manager_process import ManagerProcess
from rlm_kernel.cli import main
from rlm_kernel.testing import ChatRequest, Failure, Script, ScriptedModelServer, Stall, Step
from tests.agent.evaluation.oracle import Oracle
from tests.agent.processes import below, wait_for_end

Command = Callable[..., tuple[int, str, str]]
ALL = "s-niah,oolong,oolong-labelled,oolong-pairs,oolong-pairs-labelled"
OF_MANAGER = ("WASM_MANAGER_SERVICE_URL", "RLM_KERNEL_TOKEN")


def environment_of(server: ScriptedModelServer, manager: ManagerProcess | None) -> dict[str, str]:
    ours = {"OPENAI_API_KEY": "a-test-key", "OPENAI_BASE_URL": server.base_url}
    if manager is None:
        return ours
    return ours | dict(zip(OF_MANAGER, (manager.url, manager.token), strict=True))


@pytest.fixture
def command(
    manager: ManagerProcess,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Command:
    """Exit status, stdout and stderr of the command, run in this process to its end."""

    def run(script: Script, *arguments: str, window: str = "100000") -> tuple[int, str, str]:
        with ScriptedModelServer(script) as server:
            for name, value in environment_of(server, manager).items():
                monkeypatch.setenv(name, value)
            words = ["eval", "--model", server.model_name, "--out", str(tmp_path)]
            words += ["--window", window] if window else []
            status = main([*words, "--lengths", "2k", *arguments])
        shown = capsys.readouterr()
        return status, shown.out, shown.err

    return run


@contextmanager
def started(
    server: ScriptedModelServer, folder: Path, *arguments: str, manager: ManagerProcess | None
) -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own."""
    others = {name: value for name, value in os.environ.items() if name not in OF_MANAGER}
    words = ["eval", "--model", server.model_name, "--out", str(folder), "--lengths", "1k"]
    process = subprocess.Popen(
        [sys.executable, "-m", "rlm_kernel", *words, "--window", "100000", *arguments],
        env=others | environment_of(server, manager),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def lines_of(folder: Path) -> list[dict[str, Any]]:
    """The conditions and the results in the only file there is."""
    (path,) = folder.glob("*.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


def results_of(folder: Path) -> list[Result]:
    return [Result.model_validate(line) for line in lines_of(folder)[1:]]


def test_a_model_that_is_always_right_scores_1_in_everything(
    command: Command, tmp_path: Path
) -> None:
    status, out, err = command(Oracle(), "--task", ALL, "--count", "3", "--parallel", "4")
    results = results_of(tmp_path)
    assert (status, len(results)) == (0, 5 * 3 * 2)
    assert [each for each in results if each.score != 1] == []
    assert len(re.findall(r"^\[\d+/30\] ", err, re.MULTILINE)) == 30
    rows = [line for line in out.splitlines() if "| 2k |" in line]
    assert len(rows) == 5 * 2
    assert all("| 3 | 1.00 (0.00) | 0 |" in row for row in rows)
    (table,) = tmp_path.glob("*.md")
    assert table.read_text().endswith(out)
    (plot,) = tmp_path.glob("*.svg")
    assert ElementTree.parse(plot).getroot().tag.endswith("svg")


def test_what_a_right_answer_took_is_counted(command: Command, tmp_path: Path) -> None:
    command(Oracle(), "--task", "oolong", "--count", "1")
    rlm, plain = results_of(tmp_path)
    assert (rlm.method, rlm.turns, rlm.shown) == ("rlm", 1, None)
    assert rlm.spent.calls > 2, "the root, and sub-calls that read the messages"
    assert (plain.method, plain.turns, plain.shown, plain.spent.calls) == ("plain", None, 1.0, 1)
    assert plain.spent.input_tokens > 500
    assert plain.spent.cost_usd is None, "a scripted model has no price"


@pytest.mark.parametrize(
    ("task", "spoil", "score"),
    [
        ("oolong-labelled", lambda answer: f"{answer}0000", 0.0),
        ("s-niah", lambda answer: f"{answer}0", 0.0),
        ("oolong-pairs-labelled", lambda answer: f"{answer} (1, 2) {answer}", 1.0),
        ("oolong-pairs-labelled", lambda answer: "none", 0.0),
    ],
)
def test_a_model_that_is_wrong_scores_what_the_task_says(
    command: Command, tmp_path: Path, task: str, spoil: Callable[[str], str], score: float
) -> None:
    status, _, _ = command(Oracle(spoil), "--task", task, "--count", "1")
    assert status == 0
    assert [each.score for each in results_of(tmp_path)] == [pytest.approx(score, abs=1e-6)] * 2


def test_a_count_that_is_two_off_is_worth_9_sixteenths(command: Command, tmp_path: Path) -> None:
    def two_more(request: ChatRequest) -> Step:
        reply = Oracle()(request)
        assert isinstance(reply, str)
        if request.messages[0]["role"] == "system":
            return reply.replace("FINAL(found)", "FINAL(int(found) + 2)")
        return re.sub(r"\d+$", lambda number: str(int(number[0]) + 2), reply)

    command(two_more, "--task", "oolong-labelled", "--count", "1")
    assert [each.score for each in results_of(tmp_path)] == [0.5625, 0.5625]


def test_a_plain_prompt_is_cut_to_the_window_and_says_so(command: Command, tmp_path: Path) -> None:
    seen: list[str] = []

    def script(request: ChatRequest) -> Step:
        seen.append(request.last)
        return "Answer: 1234567"

    command(script, "--task", "s-niah", "--count", "1", "--methods", "plain", window="2000")
    (result,) = results_of(tmp_path)
    assert result.shown is not None
    assert 0.3 < result.shown < 0.5
    assert "[The text is cut off here" in seen[0]
    assert len(seen[0]) < 2000 * 4


def test_errors_are_errors_and_no_wrong_answers(command: Command, tmp_path: Path) -> None:
    oracle = Oracle()

    def script(request: ChatRequest) -> Step:
        return Failure(500, "out of order") if request.index else oracle(request)

    status, out, err = command(script, "--task", "s-niah", "--count", "2", "--methods", "plain")
    right, failed = results_of(tmp_path)
    assert (status, right.score, right.error) == (0, 1.0, None)
    assert failed.error is not None
    assert (failed.score, failed.answer, failed.error.code) == (None, None, "model_unavailable")
    assert failed.spent.failed_calls == 3, "it was tried again twice"
    assert "| 2 | 1.00 | 1 model_unavailable | 0.50 (0.71) |" in out
    assert "error: model_unavailable: " in err


def test_an_item_that_takes_too_long_is_an_error(command: Command, tmp_path: Path) -> None:
    command(lambda request: Stall(), "--task", "s-niah", "--count", "1", "--item-seconds", "0.5")
    errors = [each.error for each in results_of(tmp_path)]
    assert [error.code for error in errors if error] == ["time_limit_exceeded"] * 2


def test_limits_hold_for_both_methods(command: Command, tmp_path: Path) -> None:
    command(Oracle(), "--task", "s-niah", "--count", "1", "--item-tokens", "700")
    errors = [each.error for each in results_of(tmp_path)]
    assert [error.code for error in errors if error] == ["token_limit_exceeded"] * 2


def test_results_that_are_there_are_kept_and_not_made_again(
    command: Command, tmp_path: Path
) -> None:
    task = ("--task", "s-niah", "--methods", "plain")
    command(Oracle(), *task, "--count", "1")
    status, out, err = command(Oracle(), *task, "--count", "2")
    assert (status, out) == (2, "")
    assert "--resume goes on with them" in err
    status, out, err = command(Oracle(), *task, "--count", "3", "--resume")
    assert (status, len(results_of(tmp_path))) == (0, 3)
    assert "[2/2]" in err
    status, out, err = command([], *task, "--count", "2", "--resume")
    assert "| s-niah | 2k | plain | 2 |" in out, "a smaller plan has its own table"


def test_what_failed_is_tried_again_when_asked_to(command: Command, tmp_path: Path) -> None:
    task = ("--task", "s-niah", "--methods", "plain", "--count", "2")
    command([Failure(400, "no such thing"), "Answer: 1"], *task)
    command([], *task, "--resume")
    assert [each.error is None for each in results_of(tmp_path)] == [False, True]
    _, out, _ = command(Oracle(), *task, "--retry-errors")
    assert [each.score for each in results_of(tmp_path)] == [None, 0.0, 1.0]
    assert "| 2 | 0.50 (0.71) | 0 |" in out


def test_other_conditions_are_another_file(command: Command, tmp_path: Path) -> None:
    task = ("--task", "s-niah", "--methods", "plain", "--count", "1")
    command(Oracle(), *task)
    status, _, _ = command(Oracle(), *task, "--item-seconds", "60")
    assert (status, len(list(tmp_path.glob("*.jsonl")))) == (0, 2)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--task", "nonsense"], "no task 'nonsense': there are s-niah, oolong"),
        (["--methods", "magic"], "no method 'magic': there are rlm, plain"),
        (["--lengths", "2g"], "a length is between 512 and 1,048,576 tokens"),
        (["--lengths", "100"], "a length is between 512 and 1,048,576 tokens"),
        (["--count", "0"], "at least one item"),
        (["--parallel", "0"], "at least one item must be evaluated at a time"),
        (["--item-seconds", "0"], "seconds must be more than 0"),
        (["--window", "700"], "a window of 700 tokens is full"),
    ],
)
def test_what_cannot_work_is_said_in_one_line(
    command: Command, arguments: list[str], complaint: str
) -> None:
    status, out, err = command([], "--methods", "plain", *arguments)
    assert (status, out) == (2, "")
    assert complaint in err.splitlines()[-1]
    assert "Traceback" not in err


def test_a_model_whose_window_nobody_knows_needs_one_for_plain_prompts(command: Command) -> None:
    status, _, err = command([], window="")
    assert status == 2
    assert "openai/scripted can take in is not known: say --window" in err


def test_a_manager_that_is_not_there_ends_the_run(
    command: Command, manager: ManagerProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(manager, "_url", "http://127.0.0.1:9")
    status, _, err = command([], "--methods", "rlm")
    assert status == 3
    assert results_of(tmp_path) == []
    assert "Traceback" not in err


def test_a_run_that_is_killed_goes_on_where_it_was(manager: ManagerProcess, tmp_path: Path) -> None:
    oracle = Oracle()

    def stalls_at_third(request: ChatRequest) -> Step:
        return oracle(request) if request.index < 2 else Stall()

    plan = ("--task", "s-niah,oolong-labelled", "--count", "2", "--methods", "rlm")
    with ScriptedModelServer(stalls_at_third) as server:
        with started(server, tmp_path, *plan, "--parallel", "2", manager=None) as process:
            server.wait_for_requests(4, timeout=120)
            processes = below(process.pid)
            process.send_signal(signal.SIGKILL)
            process.wait()
        wait_for_end(processes, timeout=30)
    before = results_of(tmp_path)
    assert len(before) == 2
    with (
        ScriptedModelServer(oracle) as server,
        started(server, tmp_path, *plan, "--resume", manager=manager) as process,
    ):
        _out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert "[2/2]" in err
        assert len(server.requests) == 2
    after = results_of(tmp_path)
    assert after[:2] == before
    assert [each.score for each in after] == [1.0] * 4
    assert len({each.key for each in after}) == 4


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_it_and_leaves_nothing_behind(
    manager: ManagerProcess, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    before = below(manager.pid)
    plan = ("--task", "s-niah", "--count", "2", "--methods", "rlm", "--parallel", "2")
    with (
        ScriptedModelServer(lambda request: Stall()) as server,
        started(server, tmp_path, *plan, manager=manager) as process,
    ):
        server.wait_for_requests(2, timeout=120)
        sessions = below(manager.pid) - before
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out) == (status, "")
        assert "--resume goes on from here" in err
        assert "Traceback" not in err
    wait_for_end(sessions)


def test_without_ray_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    words = ["--model", "openai/gpt-5", "--out", str(tmp_path), "--ray", "local"]
    assert main(["eval", *words]) == 2
    assert "pip install 'rlm-kernel[ray]'" in capsys.readouterr().err


def test_the_local_model_is_not_for_other_machines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", "--out", str(tmp_path), "--ray", "127.0.0.1:6379"]) == 2
    assert "the local model is out of the cluster's reach" in capsys.readouterr().err
