"""Connection files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rlm_kernel.agent.session.connection_file import connection_file


def test_the_file_is_there_for_its_owner_only_and_gone_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    with connection_file("abc", {"key": "k", "shell_port": 1}) as path:
        assert path == tmp_path / "runtime" / "kernel-abc.json"
        assert json.loads(path.read_text()) == {"key": "k", "shell_port": 1}
        assert path.stat().st_mode & 0o077 == 0
    assert not path.exists()


def test_it_goes_also_when_its_block_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    with pytest.raises(ZeroDivisionError), connection_file("abc", {}):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
