"""Sandboxes: one that tests share for looking, and fresh ones for what may break them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rlm_kernel.sandbox import Limits, Sandbox

SMALL = Limits(memory_bytes=256 << 20, standby=False)
"""For tests that fill the memory, or lose the session."""


@pytest.fixture(scope="session")
def shared_box() -> Iterator[Sandbox]:
    with Sandbox() as box:
        yield box


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with Sandbox(SMALL) as box:
        yield box
