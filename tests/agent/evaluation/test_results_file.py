"""Results on disk: kept one by one, apart by conditions, whole again after a kill."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rlm_kernel.agent import Budget
from rlm_kernel.agent.evaluation import Conditions, Result, ResultsFile
from rlm_kernel.errors import ConfigurationError

CONDITIONS = Conditions("openai/one", "openai/two", window=8192)


def result(number: int, score: float | None = 1.0) -> Result:
    return Result(
        task="oolong",
        length=8192,
        number=number,
        method="rlm",
        kind="count",
        score=score,
        truth="12",
    )


def test_what_was_added_is_there_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "results.jsonl"
    with ResultsFile(path, CONDITIONS) as file:
        file.add(result(0))
        file.add(result(1, None))
    with ResultsFile(path, CONDITIONS) as file:
        assert list(file.results.values()) == [result(0), result(1, None)]
        file.add(result(2))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["type"] for line in lines] == ["conditions", "result", "result", "result"]
    assert lines[0]["model"] == "openai/one"


def test_of_several_results_with_one_key_the_last_counts(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    with ResultsFile(path, CONDITIONS) as file:
        file.add(result(0, None))
        file.add(result(0, 0.75))
    with ResultsFile(path, CONDITIONS) as file:
        assert list(file.results.values()) == [result(0, 0.75)]
    assert len(path.read_text().splitlines()) == 3


@pytest.mark.parametrize("lost", [1, 40, 150])
def test_a_line_that_was_cut_short_is_taken_away(tmp_path: Path, lost: int) -> None:
    path = tmp_path / "results.jsonl"
    with ResultsFile(path, CONDITIONS) as file:
        file.add(result(0))
        file.add(result(1))
    path.write_bytes(path.read_bytes()[:-lost])
    with ResultsFile(path, CONDITIONS) as file:
        assert list(file.results.values()) == [result(0)]
        file.add(result(2))
    with ResultsFile(path, CONDITIONS) as file:
        assert list(file.results.values()) == [result(0), result(2)]


def test_even_the_first_line_may_have_been_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text('{"type": "cond')
    with ResultsFile(path, CONDITIONS) as file:
        file.add(result(0))
    with ResultsFile(path, CONDITIONS) as file:
        assert list(file.results.values()) == [result(0)]


def test_damage_elsewhere_is_not_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    with ResultsFile(path, CONDITIONS) as file:
        file.add(result(0))
    path.write_text(path.read_text() + "nonsense\n")
    with pytest.raises(ConfigurationError, match="line 3, is no result"):
        ResultsFile(path, CONDITIONS)


def test_two_evaluations_do_not_write_into_one_file(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    with (
        ResultsFile(path, CONDITIONS),
        pytest.raises(ConfigurationError, match="another evaluation"),
    ):
        ResultsFile(path, CONDITIONS)
    ResultsFile(path, CONDITIONS).close()


def test_a_folder_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot write"):
        ResultsFile(tmp_path / "file" / "results.jsonl", CONDITIONS)


@pytest.mark.parametrize(
    "change",
    [
        {"model": "openai/three"},
        {"recursive_model": "openai/three"},
        {"seed": 1},
        {"window": 4096},
        {"options": replace(CONDITIONS.options, max_depth=2)},
        {"options": replace(CONDITIONS.options, budget=Budget(seconds=60))},
    ],
)
def test_other_conditions_are_another_file(change: dict[str, Any]) -> None:
    changed = replace(CONDITIONS, **change)
    assert changed.file_stem != CONDITIONS.file_stem
    assert replace(CONDITIONS).file_stem == CONDITIONS.file_stem


def test_a_file_is_named_after_its_model() -> None:
    name = replace(CONDITIONS, model="openrouter/Some Lab/A_Model:70B/../x").file_stem
    assert name.startswith("x-")
    assert replace(CONDITIONS, model="a/Big_Model:70B").file_stem.startswith("big-model-70b-")
