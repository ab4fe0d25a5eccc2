"""One manager for all tests of the agent that do not need one of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from rlm_kernel.agent import SidecarREPLFactory
from rlm_kernel.agent.manager_process import ManagerProcess
from rlm_kernel.manager.client import ManagerClient


@pytest.fixture(scope="session")
def manager() -> Iterator[ManagerProcess]:
    with ManagerProcess() as process:
        yield process


@pytest.fixture
def factory(manager: ManagerProcess) -> Iterator[SidecarREPLFactory]:
    """Sessions of the shared manager, of which the test leaves none behind."""
    yield SidecarREPLFactory(manager.url, manager.token)
    left = asyncio.run(open_sessions(manager))
    asyncio.run(delete_all_sessions(manager))
    assert left == []


async def open_sessions(manager: ManagerProcess) -> list[str]:
    async with ManagerClient(manager.url, token=manager.token) as client:
        return [session.session_id for session in await client.list_sessions()]


async def delete_all_sessions(manager: ManagerProcess) -> None:
    async with ManagerClient(manager.url, token=manager.token) as client:
        await client.delete_all()


async def restart_all_sessions(manager: ManagerProcess) -> None:
    async with ManagerClient(manager.url, token=manager.token) as client:
        for session_id in await open_sessions(manager):
            await client.restart(session_id)
