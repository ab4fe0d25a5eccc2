"""ipykernel's own suite of the message protocol, as published, with our kernel as `python3`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

from tests.kernel.suites import IPYKERNEL, install_as, unpacked

TESTS = 24


def test_ipykernels_message_spec_passes_whole(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    command = [sys.executable, "-m", "pytest", "tests/test_message_spec.py", "--noconftest"]
    options = ["-c", os.devnull, "--rootdir=.", "-p", "no:cacheprovider", f"--junitxml={report}"]
    jupyter_path = install_as("python3", tmp_path)
    done = subprocess.run(
        [*command, *options],
        cwd=unpacked(*IPYKERNEL),
        env={**os.environ, "JUPYTER_PATH": str(jupyter_path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    (suite,) = ElementTree.parse(report).getroot().iter("testsuite")
    counts = {name: int(suite.get(name, -1)) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": TESTS, "failures": 0, "errors": 0, "skipped": 0}, done.stdout
