"""ipykernel's own tests, as published, with our kernel under the name `python3`.

`docs/suites.md` lists those that fail, each with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.kernel.suites import IPYKERNEL, install_as, listed, outcomes, unpacked

MESSAGES, KERNEL = "tests/test_message_spec.py", "tests/test_kernel.py"
MESSAGE_TESTS = 24

NOT_FOR_LINUX = {
    f"{KERNEL}::test_capture_fd",
    f"{KERNEL}::test_complete",
    f"{KERNEL}::test_matplotlib_inline_on_import",  # where the host has no matplotlib
    f"{KERNEL}::test_shutdown_subprocesses",
    f"{KERNEL}::test_subprocess_peek_at_stream_fileno",
    f"{KERNEL}::test_unc_paths",
}
"""Tests that skip themselves here whatever the kernel."""

RACES = {
    f"{KERNEL}::test_control_thread_priority",
    f"{KERNEL}::test_interrupt_during_pdb_set_trace",
}
"""Tests that sleep for a while, and then take it for granted how far the kernel has come."""


def run(prefix: Path, *tests: str) -> dict[str, str]:
    return outcomes(unpacked(*IPYKERNEL), install_as("python3", prefix), *tests)


def ids(names: Iterable[str]) -> set[str]:
    return {f"{KERNEL}::{name}" for name in names}


@pytest.mark.timeout(600)
def test_all_pass_but_for_those_that_are_listed(tmp_path: Path) -> None:
    left_out = sorted(ids(listed(KERNEL)) | RACES)
    results = run(tmp_path, MESSAGES, KERNEL, *(f"--deselect={test}" for test in left_out))
    assert {test for test in results if results[test] != "passed"} == NOT_FOR_LINUX, results
    assert sum(test.startswith(MESSAGES) for test in results) == MESSAGE_TESTS


@pytest.mark.timeout(600)
def test_those_that_are_listed_fail(tmp_path: Path) -> None:
    tests = ids(listed(KERNEL))
    assert run(tmp_path, *sorted(tests)) == dict.fromkeys(tests, "failed")
