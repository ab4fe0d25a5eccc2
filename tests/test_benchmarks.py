"""The benchmarks run; what they measure is not for tests."""

from __future__ import annotations

import pytest

from benchmarks import sandbox


def test_the_benchmark_of_the_sandbox_reports_every_figure(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sandbox.measure(2)
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 21
    assert sum("file: " in line for line in said) == len(sandbox.FILE_OPERATIONS)
