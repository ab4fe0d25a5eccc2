"""Wheels made on the spot, where only pip finds them."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlm_kernel.pyodide import Release, ensure_release
from rlm_kernel.pyodide.packages import libraries
from tests.packages import only_pip_knows


@pytest.fixture(scope="session")
def the_release() -> Release:
    """The real one, from the user's own cache."""
    return ensure_release()


@pytest.fixture
def cache(tmp_path: Path, the_release: Release, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache directory in the place of the user's; only the release is not fetched anew."""
    monkeypatch.setenv("RLM_KERNEL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(libraries, "ensure_release", lambda: the_release)
    return tmp_path / "cache"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that is all of pip's index."""
    return only_pip_knows(tmp_path / "index", monkeypatch)
