"""One pod for all tests that do not need one of their own: a manager, a service, a model."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from rlm_kernel.agent.manager_process import ManagerProcess
from tests.agent.service.process import AgentProcess
from tests.agent.service.scripted import Oracle


@pytest.fixture(scope="session")
def oracle() -> Iterator[Oracle]:
    with Oracle() as server:
        yield server


@pytest.fixture(scope="session")
def agent(manager: ManagerProcess, oracle: Oracle) -> Iterator[AgentProcess]:
    token = {"RLM_KERNEL_TOKEN": manager.token}
    with AgentProcess(manager.url, oracle.base_url, environment=token) as process:
        yield process
        assert process.stop() == 0, process.log()


@pytest.fixture
def http(agent: AgentProcess) -> Iterator[httpx.Client]:
    """A client of the shared service."""
    with httpx.Client(base_url=agent.url, trust_env=False, timeout=100) as client:
        yield client
