"""A complete cache: nothing has to be fetched any more."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlm_kernel.progress import Silence
from rlm_kernel.pyodide import fetch, release


class Listening(Silence):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def test_after_a_fetch_everything_is_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fetch()
    monkeypatch.setattr(release, "CDN_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    heard = Listening()
    fetch(heard)
    assert heard.lines == []
