"""The official library's log: its own code reads what we write, and its visualizer can show it."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from rlm.core.types import RLMChatCompletion

from rlm_kernel.agent import SidecarREPLFactory
from rlm_kernel.agent.models.terms import Terms
from rlm_kernel.agent.trajectory import Trajectory, jsonl, save
from rlm_kernel.testing import ChatRequest, Failure, Reply
from tests.agent.runs import code
from tests.agent.trajectory.official import written_by_the_library
from tests.agent.trajectory.recorded import lively_run, record_script


@pytest.fixture
def entries(factory: SidecarREPLFactory, tmp_path: Path) -> list[dict[str, Any]]:
    (path,) = save(lively_run(factory), tmp_path / "run.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_librarys_own_code_reads_it_and_writes_the_same(
    entries: list[dict[str, Any]], tmp_path: Path
) -> None:
    theirs = written_by_the_library(entries, tmp_path / "theirs")
    assert len(theirs) == len(entries)
    for wanted, ours in zip(theirs, entries, strict=True):
        assert datetime.fromisoformat(ours["timestamp"])
        assert_holds(ours, {**wanted, "timestamp": ours["timestamp"]})


def assert_holds(ours: Any, wanted: Any) -> None:
    """All that the library writes is there as it writes it; there may be more."""
    if isinstance(wanted, dict):
        for key, value in wanted.items():
            assert_holds(ours[key], value)
    elif isinstance(wanted, list):
        assert len(ours) == len(wanted)
        for one, other in zip(ours, wanted, strict=True):
            assert_holds(one, other)
    else:
        assert ours == wanted


def test_the_visualizer_finds_all_that_it_shows(entries: list[dict[str, Any]]) -> None:
    """What its parser (`parse-logs.ts`) and its panels take for granted of each line."""
    metadata, *iterations = entries
    assert metadata["type"] == "metadata"
    assert isinstance(metadata["root_model"], str)
    assert isinstance(metadata["max_depth"], int)
    assert isinstance(metadata["max_iterations"], int)
    for number, iteration in enumerate(iterations, 1):
        assert iteration["iteration"] == number
        assert isinstance(iteration["response"], str)
        assert isinstance(iteration["iteration_time"], float)
        assert iteration["final_answer"] is None or isinstance(iteration["final_answer"], str)
        for message in iteration["prompt"]:
            assert message.keys() == {"role", "content"}
        for block in iteration["code_blocks"]:
            assert_is_shown(block)
    assert [each["final_answer"] for each in iterations] == [None, None, None, "10 letters"]


def assert_is_shown(block: dict[str, Any]) -> None:
    result = block["result"]
    for key in ("stdout", "stderr"):
        assert isinstance(result[key], str)
    assert isinstance(result["execution_time"], float)
    assert isinstance(result["locals"], dict)
    for call in result["rlm_calls"]:
        assert isinstance(call["response"], str)
        assert isinstance(call["prompt_tokens"], int)
        assert isinstance(call["completion_tokens"], int)
        assert isinstance(call["execution_time"], float)


def test_output_stands_where_the_library_has_it(entries: list[dict[str, Any]]) -> None:
    first, failed, asking, _ = (entry["code_blocks"] for entry in entries[1:])
    assert first[0]["result"]["stdout"].startswith("in two pieces\n<IPython.core.display.HTML")
    assert first[0]["result"]["stdout"].endswith("42\n")
    assert first[0]["result"]["stderr"] == "to stderr\n"
    assert failed[0]["result"]["stderr"].endswith("ZeroDivisionError: division by zero\n")
    assert [call["response"] for call in asking[0]["result"]["rlm_calls"]] == [
        "10",
        "11",
        "10",
        "fifteen",
    ]


def test_a_child_run_is_in_the_metadata_of_its_call(entries: list[dict[str, Any]]) -> None:
    (call,) = entries[3]["code_blocks"][1]["result"]["rlm_calls"]
    child = call["metadata"]
    assert child["run_metadata"]["query"] == "add"
    assert [each["final_answer"] for each in child["iterations"]] == ["6"]


def asking(request: ChatRequest) -> Reply:
    """Asks a model and a child run, which asks a model too."""
    if request.last == "below":
        return Reply("so", 120, 7)
    if "Question: add" in request.last:
        return Reply(code("FINAL(llm_query('below') + str(sum(context)))"), 300, 20)
    return Reply(code("llm_query('below')\nFINAL(rlm_query('add', context=[1, 2, 3]))"), 1000, 30)


def calls_of(trajectory: Trajectory) -> list[dict[str, Any]]:
    (iteration,) = [json.loads(line) for line in list(jsonl(trajectory))[1:]]
    return list(iteration["code_blocks"][0]["result"]["rlm_calls"])


@pytest.mark.parametrize("priced", [False, True])
def test_a_call_says_what_it_took_and_a_child_run_what_all_of_its_calls_took(
    factory: SidecarREPLFactory, priced: bool
) -> None:
    pricing = Terms(input_usd=0.001, output_usd=0.01) if priced else None
    trajectory = record_script(factory, asking, max_depth=2, pricing=pricing)
    asked, delegated = calls_of(trajectory)
    assert (asked["prompt_tokens"], asked["completion_tokens"]) == (120, 7)
    assert (delegated["prompt_tokens"], delegated["completion_tokens"]) == (420, 27)
    (inner,) = delegated["metadata"]["iterations"][0]["code_blocks"][0]["result"]["rlm_calls"]
    assert (inner["prompt_tokens"], inner["completion_tokens"]) == (120, 7)
    for call, calls, cost in ((asked, 1, 0.19), (delegated, 2, 0.69)):
        usage = RLMChatCompletion.from_dict(call).usage_summary
        (share,) = usage.model_usage_summaries.values()
        assert share.total_calls == calls
        assert usage.total_input_tokens == call["prompt_tokens"]
        assert usage.total_output_tokens == call["completion_tokens"]
        assert usage.total_cost == (pytest.approx(cost) if priced else None)
    assert trajectory.root.usage is not None
    whole = trajectory.root.usage["input_tokens"]
    assert whole == 1000 + asked["prompt_tokens"] + delegated["prompt_tokens"]


def test_a_call_that_failed_says_so(factory: SidecarREPLFactory) -> None:
    asking = code("print(llm_query_batched(['a']))\nFINAL(1)")
    trajectory = record_script(factory, [asking, Failure(400, "no luck")])
    (call,) = calls_of(trajectory)
    assert call["response"] == ""
    assert (call["prompt_tokens"], call["completion_tokens"]) == (0, 0)
    assert "no luck" in call["error"]


def test_a_run_that_failed_has_its_turns(factory: SidecarREPLFactory) -> None:
    trajectory = record_script(factory, [code("x = 1"), Failure(400, "no more")])
    metadata, *iterations = (json.loads(line) for line in jsonl(trajectory))
    assert metadata["status"] == "failed"
    assert "no more" in metadata["failure"]["message"]
    assert [each["response"] for each in iterations] == [code("x = 1"), ""]
