"""Several real managers on loopback that ask for the same token."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import httpx
import pytest

from rlm_kernel.agent.managers.pool import ManagerPool
from tests.agent.managers.changing import ChangingAddresses
from tests.manager.process import ManagerProcess

TOKEN = "the-same-for-all"


def start_manager(**environment: str) -> ManagerProcess:
    """One that listens, and boots meanwhile."""
    return ManagerProcess(environment={"RLM_KERNEL_TOKEN": TOKEN, **environment})


def client_of(manager: ManagerProcess) -> httpx.Client:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return httpx.Client(base_url=manager.url, headers=headers, trust_env=False, timeout=60)


def sessions_of(manager: ManagerProcess) -> set[str]:
    with client_of(manager) as http:
        return {one["session_id"] for one in http.get("/sessions").json()["sessions"]}


def wait_until_ready(*managers: ManagerProcess) -> None:
    """A session can only be had once the zygote is up."""
    for manager in managers:
        with client_of(manager) as http:
            session = http.post("/session").json()["session_id"]
            assert http.delete(f"/session/{session}").status_code == 204


@contextlib.contextmanager
def running(*environments: dict[str, str]) -> Iterator[list[ManagerProcess]]:
    """Managers that are ready, one for each environment."""
    with contextlib.ExitStack() as stack:
        managers = [stack.enter_context(start_manager(**one)) for one in environments]
        wait_until_ready(*managers)
        yield managers


@pytest.fixture(scope="module")
def shared() -> Iterator[list[ManagerProcess]]:
    with running({}, {}) as managers:
        yield managers


@pytest.fixture
def pair(shared: list[ManagerProcess]) -> Iterator[list[ManagerProcess]]:
    """Two managers without a session."""
    yield shared
    for manager in shared:
        with client_of(manager) as http:
            http.delete("/sessions")


def pool_of(*managers: ManagerProcess | str) -> ManagerPool:
    return ManagerPool(ChangingAddresses(*managers), TOKEN)
