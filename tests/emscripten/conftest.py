"""What the tests of the host share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rlm_kernel.sandbox import Sandbox
from tests.emscripten.guest import Guest


@pytest.fixture
def guest() -> Guest:
    """A guest that calls the host's functions, and an empty file system."""
    return Guest()


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    """One sandboxed Python for all tests of a module."""
    with Sandbox() as sandbox:
        yield sandbox
