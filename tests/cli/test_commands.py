"""The commands that only pass on to the floor that does the work: what they pass, and print."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rlm_kernel import agent
from rlm_kernel.agent.models import weights
from rlm_kernel.cache import cache_dir
from rlm_kernel.cli import main


def test_model_pull_prints_where_the_model_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(weights, "ensure_model", lambda _progress: Path("/models/local.gguf"))
    assert main(["model", "pull"]) == 0
    assert capsys.readouterr().out == "/models/local.gguf\n"


def test_run_passes_everything_on_and_has_the_agents_status(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: dict[str, Any] = {}

    def run(**arguments: Any) -> int:
        given.update(arguments)
        return 5

    monkeypatch.setattr(agent, "run", run)
    words = "run --context a b --query why --model m --recursive-model r --max-iterations 3"
    assert main([*words.split(), "--max-depth", "2", "--preload", "p", "--preload", "q"]) == 5
    assert given == {
        "context": [Path("a"), Path("b")],
        "query": "why",
        "model": "m",
        "recursive_model": "r",
        "max_iterations": 3,
        "max_depth": 2,
        "preload": ["p", "q"],
        "save": [],
    }


def test_fetch_ends_with_where_everything_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch"]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines()[-1] == f"everything is in {cache_dir()}"
