"""Whose cell it is, as everyone attached sees it."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from rlm_kernel.manager import ManagerClient
from tests.kernel.peer import Peer
from tests.manager.jupyter.socket_client import SocketClient, is_idle, kind_of
from tests.manager.process import ManagerProcess
from tests.manager.test_sessions import run


def authors(client: SocketClient) -> set[str]:
    """Those of all messages until a cell has ended."""
    return {m["parent_header"]["username"] for m in client.until(is_idle)}


def test_a_cell_that_comes_over_http_says_so(
    http: httpx.Client, manager: ManagerProcess, session: str, kernel_id: str
) -> None:
    with SocketClient(manager.url, kernel_id) as watcher:
        run(http, session, "print(1)")
        assert authors(watcher) == {"rest"}


def test_a_program_may_name_itself(
    http: httpx.Client, manager: ManagerProcess, session: str, kernel_id: str
) -> None:
    async def as_planner() -> None:
        async with ManagerClient(manager.url, author="planner") as client:
            await client.execute(kernel_id, "print(2)")

    with SocketClient(manager.url, kernel_id) as watcher:
        http.post(f"{session}/execute", json={"code": "print(1)", "author": "agent 7"})
        assert authors(watcher) == {"agent 7"}
        asyncio.run(as_planner())
        assert authors(watcher) == {"planner"}


@pytest.mark.parametrize("author", ["", "x" * 101, "a\nb", 1])
def test_not_everything_is_a_name(http: httpx.Client, session: str, author: object) -> None:
    assert http.post(f"{session}/execute", json={"code": "1", "author": author}).status_code == 400


def test_a_jupyter_client_is_known_by_its_user(
    http: httpx.Client, manager: ManagerProcess, session: str, kernel_id: str
) -> None:
    with (
        SocketClient(manager.url, kernel_id) as watcher,
        SocketClient(manager.url, kernel_id) as nameless,
        Peer(http.get(f"{session}/connection").json()) as zmq,
    ):
        zmq.client.session.username = "ada"
        zmq.execute("1")
        assert authors(watcher) == {"ada"}
        nameless.signer.username = ""
        nameless.execute("1")
        assert authors(watcher) == {"owner"}


def test_the_replay_keeps_the_authors(
    http: httpx.Client, manager: ManagerProcess, session: str, kernel_id: str
) -> None:
    http.post(f"{session}/execute", json={"code": "1", "author": "agent"})
    with SocketClient(manager.url, kernel_id) as client:
        first = client.until(lambda message: kind_of(message) == "execute_input")[-1]
    assert first["metadata"]["replayed"]
    assert first["parent_header"]["username"] == "agent"
