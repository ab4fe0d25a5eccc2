"""The benchmarks run; what they measure is not for tests."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks import agent, density, manager, sandbox


def test_the_benchmark_of_the_sandbox_reports_every_figure(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sandbox.measure(2)
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 21
    assert sum("file: " in line for line in said) == len(sandbox.FILE_OPERATIONS)


async def test_the_benchmark_of_the_manager_reports_every_figure_and_finds_no_leak(
    capsys: pytest.CaptureFixture[str],
) -> None:
    await manager.measure(sessions=3, seconds=0.5, rounds=2)
    said = capsys.readouterr().out
    assert said.count("execute, first of a session") == 2
    assert "\nafter:  " in said


def test_the_benchmark_of_the_agent_reports_every_figure() -> None:
    turns = str(agent.WARMING_TURNS + 2)
    # A process of its own, because the official library leaves sockets open.
    command = [sys.executable, "-m", "benchmarks.agent", "--rounds", "1", "--runs", "2"]
    done = subprocess.run([*command, "--turns", turns], capture_output=True, text=True, check=True)
    for name in ("this package without litellm", "rlms, local (not isolated)", agent.ISOLATED):
        assert done.stdout.count(f"\n{name} ") >= 2, done.stdout
    assert "\nall of them, for each " in done.stdout


async def test_the_benchmark_of_density_reports_every_figure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(density, "SETTLING_SECONDS", 0.1)
    await density.measure([1, 2])
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 4
    assert sum(" MB each" in line for line in said) == 3
