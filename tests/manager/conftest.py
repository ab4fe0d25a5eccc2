"""One manager process for all tests that do not need one of their own."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import httpx
import pytest

from tests.manager.description import Description
from tests.manager.process import ManagerProcess


@pytest.fixture(scope="session")
def manager() -> Iterator[ManagerProcess]:
    with ManagerProcess() as process:
        yield process
        assert process.stop(signal.SIGTERM) == 0, process.log()


@pytest.fixture(scope="session")
def description(manager: ManagerProcess) -> Description:
    return Description(httpx.get(f"{manager.url}/openapi.json", trust_env=False).json())


@pytest.fixture
def http(manager: ManagerProcess, description: Description) -> Iterator[httpx.Client]:
    """A client of the shared manager, which has no sessions before and after.

    Whatever it is answered is held against the description of the interface.
    """
    with httpx.Client(base_url=manager.url, trust_env=False, timeout=60) as client:
        client.event_hooks["response"] = [description.check]
        yield client
        client.delete("/sessions")


@pytest.fixture
def session(http: httpx.Client) -> str:
    """The path of a fresh session."""
    return f"/session/{http.post('/session').json()['session_id']}"
