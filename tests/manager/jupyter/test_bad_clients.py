"""Clients that send nonsense, read nothing or vanish: nobody else notices."""

from __future__ import annotations

import contextlib

import httpx
import pytest

from tests.manager.jupyter.socket_client import SocketClient, is_idle, text_of
from tests.manager.jupyter.test_framing import BROKEN_LEGACY, BROKEN_V1
from tests.manager.process import ManagerProcess
from tests.manager.test_sessions import run

MEGABYTE = 1 << 20


@pytest.mark.parametrize("v1", [True, False], ids=["v1", "legacy"])
def test_malformed_frames_are_dropped(manager: ManagerProcess, kernel_id: str, v1: bool) -> None:
    with SocketClient(manager.url, kernel_id, v1=v1) as client:
        for frame in (BROKEN_V1 if v1 else BROKEN_LEGACY).values():
            if isinstance(frame, str):
                client.socket.send(frame)
            else:
                client.socket.send_binary(frame)
        assert text_of(client.execute("print(1)")) == "1\n"


def test_a_frame_that_is_too_large_ends_its_own_connection(
    http: httpx.Client, manager: ManagerProcess, session: str, kernel_id: str
) -> None:
    with (
        SocketClient(manager.url, kernel_id) as client,
        SocketClient(manager.url, kernel_id) as other,
    ):
        with contextlib.suppress(OSError):  # it is hung up on while it sends
            client.socket.send_binary(b"\0" * (17 * MEGABYTE))
        with contextlib.suppress(OSError):
            assert client.closing()[0] == 1009
        assert text_of(other.execute("print(1)")) == "1\n"


def test_a_client_that_reads_nothing_is_hung_up_on(
    http: httpx.Client, manager: ManagerProcess, session: str, kernel_id: str
) -> None:
    with (
        SocketClient(manager.url, kernel_id) as deaf,
        SocketClient(manager.url, kernel_id) as other,
    ):
        while http.get(session).json()["clients"] == 2:
            messages = other.execute(f"print('x' * {8 * MEGABYTE})")
            assert len(text_of(messages)) == 8 * MEGABYTE + 1
        assert deaf.closing() == (1013, "too much waits for this client")
        assert text_of(other.execute("print(1)")) == "1\n"


def test_a_client_that_vanishes_while_a_cell_prints_is_not_missed(
    http: httpx.Client, manager: ManagerProcess, session: str, kernel_id: str
) -> None:
    with SocketClient(manager.url, kernel_id) as other:
        client = SocketClient(manager.url, kernel_id)
        client.send("execute_request", {"code": "for i in range(20_000): print(i)"})
        client.receive()
        client.vanish()
        assert text_of(other.until(is_idle)).endswith("\n19999\n")
        assert run(http, session, "i")["result"] == "19999"


def test_ten_clients_see_the_same(
    http: httpx.Client, manager: ManagerProcess, session: str, kernel_id: str
) -> None:
    with contextlib.ExitStack() as stack:
        clients = [
            stack.enter_context(SocketClient(manager.url, kernel_id, v1=bool(number % 2)))
            for number in range(10)
        ]
        assert http.get(session).json()["clients"] == 10
        run(http, session, "for i in range(100): print(i)")
        stories = [
            [(m["header"]["msg_id"], m["content"]) for m in client.until(is_idle)]
            for client in clients
        ]
        assert all(story == stories[0] for story in stories)
