"""The benchmarks run; what they measure is not for tests."""

from __future__ import annotations

import pytest

from benchmarks import manager, sandbox


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
