"""Connection files, read and written."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from rlm_kernel.errors import ConfigurationError
from rlm_kernel.kernel import ConnectionInfo


def test_a_written_file_is_read_back_and_private(tmp_path: Path) -> None:
    file = tmp_path / "new" / "kernel.json"
    info = ConnectionInfo(
        shell_port=1, iopub_port=2, stdin_port=3, control_port=4, hb_port=5, key="k"
    )
    info.write(file)
    assert ConnectionInfo.read(file) == info
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_curve_keys_are_written_with_the_rest(tmp_path: Path) -> None:
    info = ConnectionInfo(
        shell_port=1,
        iopub_port=2,
        stdin_port=3,
        control_port=4,
        hb_port=5,
        curve_publickey="p" * 40,
        curve_secretkey="s" * 40,
    )
    info.write(tmp_path / "kernel.json")
    assert ConnectionInfo.read(tmp_path / "kernel.json") == info


def test_keys_differ_and_are_not_shown() -> None:
    first, second = ConnectionInfo(), ConnectionInfo()
    assert first.key != second.key
    assert first.key not in repr(first)


def test_fields_of_other_tools_are_let_through(tmp_path: Path) -> None:
    file = tmp_path / "kernel.json"
    file.write_text(json.dumps({"key": "k", "shell_port": 9, "jupyter_session": "x.ipynb"}))
    assert ConnectionInfo.read(file).shell_port == 9


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "Expecting value"),
        ("[]", "valid dictionary"),
        ('{"shell_port": "x"}', "shell_port"),
        ('{"shell_port": 70000}', "shell_port"),
        ('{"transport": "udp"}', "transport"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, content: str, complaint: str) -> None:
    file = tmp_path / "kernel.json"
    file.write_text(content)
    with pytest.raises(ConfigurationError, match=complaint):
        ConnectionInfo.read(file)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        ConnectionInfo.read(tmp_path / "missing.json")
