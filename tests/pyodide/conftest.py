"""What the tests of this floor share: a cache of their own."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache directory in the place of the user's."""
    monkeypatch.setenv("RLM_KERNEL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"
