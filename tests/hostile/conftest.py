"""Sessions of a zygote that was started among canaries, and a neighbour from the same zygote."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from rlm_kernel.sandbox import Limits, Sandbox
from tests.hostile.surroundings import CANARY, Neighbour

LIMITS = Limits(memory_bytes=193 << 20, interrupt_grace=0.5)
"""Unlike those of any other test, so that the zygote is this corpus's own."""


@pytest.fixture(scope="session")
def neighbour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neighbour]:
    """Whoever wants it gets it from a zygote that was started with canaries around it."""
    folder, before = tmp_path_factory.mktemp(CANARY), Path.cwd()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECRET_TOKEN", CANARY)
        patch.setenv("HOME_OF_THE_MANAGER", f"/{CANARY}/home")
        os.chdir(folder)
        try:
            box = Sandbox(LIMITS)
        finally:
            os.chdir(before)
    with box:
        yield Neighbour(box, LIMITS)


@pytest.fixture
def box(neighbour: Neighbour) -> Iterator[Sandbox]:
    """A session beside the neighbour."""
    with Sandbox(LIMITS) as sandbox:
        yield sandbox
