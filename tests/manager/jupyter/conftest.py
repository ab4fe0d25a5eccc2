"""What tests of the WebSocket share."""

from __future__ import annotations

import pytest


@pytest.fixture
def kernel_id(session: str) -> str:
    return session.removeprefix("/session/")
