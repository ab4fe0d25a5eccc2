"""A session on another machine: its cells run over the manager's WebSocket."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application
from tornado.websocket import WebSocketHandler

from rlm_kernel.agent.manager_process import ManagerProcess
from rlm_kernel.agent.session.channels import ConnectionLostError
from rlm_kernel.agent.session.connection import KernelConnection
from rlm_kernel.agent.session.reach import are_within_reach
from rlm_kernel.errors import ManagerUnavailable
from rlm_kernel.manager.client import ManagerClient

Shown = list[tuple[str, Any]]


@asynccontextmanager
async def connected(manager: ManagerProcess) -> AsyncIterator[tuple[KernelConnection, str]]:
    async with ManagerClient(manager.url, token=manager.token) as client:
        session_id = (await client.create_session()).session_id
        kernel = await KernelConnection.open_from_afar(*client.channels(session_id))
        try:
            yield kernel, session_id
        finally:
            await kernel.close()
            await kernel.close()
            await client.delete_all()


async def execute(kernel: KernelConnection, cell: str, shown: Shown | None = None) -> Any:
    async def refuse(request: Mapping[str, Any]) -> str:
        raise AssertionError(request)

    def note(kind: str, content: Mapping[str, Any]) -> None:
        if shown is not None:
            shown.append((kind, content))

    return await kernel.execute(cell, on_message=note, on_input=refuse, timeout_s=30)


async def until_busy(client: ManagerClient, session_id: str) -> None:
    while (await client.session(session_id)).status != "busy":  # noqa: ASYNC110 - nothing tells it
        await asyncio.sleep(0.01)


async def test_what_a_cell_does_arrives_whole_and_in_order(manager: ManagerProcess) -> None:
    shown: Shown = []
    async with connected(manager) as (kernel, _):
        cell = "for n in range(300): print(n, 'x' * 10_000)\n6 * 7"
        reply = await execute(kernel, cell, shown)
    assert (reply["content"]["status"], reply["metadata"]["state"]) == ("ok", "kept")
    text = "".join(content["text"] for kind, content in shown if kind == "stream")
    assert [line.split()[0] for line in text.splitlines()] == [str(n) for n in range(300)]
    kind, last = shown[-1]
    assert (kind, last["data"]) == ("execute_result", {"text/plain": "42"})


async def test_a_message_with_buffers_is_one_among_others(manager: ManagerProcess) -> None:
    shown: Shown = []
    async with connected(manager) as (kernel, _):
        cell = (
            "from comm import create_comm\n"
            "comm = create_comm(target_name='t')\n"
            "comm.send({'n': 1}, buffers=[b'one', b'two'])\n"
            "comm.send({'n': 2}, buffers=[b'three'])\nprint('after')"
        )
        await execute(kernel, cell, shown)
    kinds = [kind for kind, _ in shown if kind != "execute_input"]
    assert kinds[:4] == ["comm_open", "comm_msg", "comm_msg", "stream"]
    assert [content["data"]["n"] for kind, content in shown if kind == "comm_msg"] == [1, 2]


async def test_the_past_of_a_session_is_not_delivered(manager: ManagerProcess) -> None:
    async with connected(manager) as (kernel, session_id):
        await execute(kernel, "print('once')")
        async with ManagerClient(manager.url, token=manager.token) as client:
            second = await KernelConnection.open_from_afar(*client.channels(session_id))
        shown: Shown = []
        await execute(second, "print('twice')", shown)
        await second.close()
    assert "".join(content["text"] for kind, content in shown if kind == "stream") == "twice\n"


async def test_the_end_of_the_session_ends_the_wait(manager: ManagerProcess) -> None:
    async with connected(manager) as (kernel, session_id):
        running = asyncio.create_task(execute(kernel, "while True: pass"))
        async with ManagerClient(manager.url, token=manager.token) as client:
            await until_busy(client, session_id)
            await client.delete_session(session_id)
        assert (await running)["content"]["ename"] == "SessionDied"
        with pytest.raises(ConnectionLostError, match="the session is over"):
            await execute(kernel, "1")


async def test_the_end_of_the_manager_ends_the_wait() -> None:
    with ManagerProcess() as manager:
        async with ManagerClient(manager.url, token=manager.token) as client:
            session_id = (await client.create_session()).session_id
            kernel = await KernelConnection.open_from_afar(*client.channels(session_id))
            running = asyncio.create_task(execute(kernel, "while True: pass"))
            await until_busy(client, session_id)
            os.kill(manager.pid, signal.SIGKILL)
            with pytest.raises(ConnectionLostError):
                await running
            await kernel.close()


async def test_what_cannot_be_reached_is_unavailable(manager: ManagerProcess) -> None:
    async with ManagerClient(manager.url, token=manager.token) as client:
        no_such_session = "00000000-0000-0000-0000-000000000000"
        with pytest.raises(ManagerUnavailable, match="404"):
            await KernelConnection.open_from_afar(*client.channels(no_such_session))
    async with connected(manager) as (_, session_id), ManagerClient(manager.url) as stranger:
        with pytest.raises(ManagerUnavailable, match="401"):
            await KernelConnection.open_from_afar(*stranger.channels(session_id))
    with pytest.raises(ManagerUnavailable):
        await KernelConnection.open_from_afar("http://127.0.0.1:9/channels", {})


class Babbler(WebSocketHandler):
    """Sends frames that hold no message, and hangs up."""

    async def open(self) -> None:
        self.write_message("no json")
        self.write_message("[1]")
        self.write_message("{}")
        self.write_message(b"\0", binary=True)
        self.write_message(b"\0\0\0\2\0\0\0\x0c\0\0\0\x10\xff\xff\xff\xff", binary=True)
        await self.write_message('{"channel": "iopub", "parent_header": {}, "msg_type": "x"}')
        self.close(1001, "enough")


async def test_frames_without_a_message_are_dropped(caplog: pytest.LogCaptureFixture) -> None:
    server = HTTPServer(Application([("/channels", Babbler)]))
    server.add_sockets(sockets := bind_sockets(0, "127.0.0.1"))
    url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}/channels"
    kernel = await KernelConnection.open_from_afar(url, {})
    with pytest.raises(ConnectionLostError, match="enough"):
        await execute(kernel, "1")
    await kernel.close()
    server.stop()
    await server.close_all_connections()
    assert caplog.text.count("a message of the kernel was dropped") == 5


async def test_the_ports_of_a_session_are_within_reach_on_its_machine_only() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        connection = {"ip": "127.0.0.1", "shell_port": server.getsockname()[1]}
        for host in ("localhost", "127.0.0.1", "[::1]"):
            assert await are_within_reach(f"http://{host}:8080", connection)
        for host in ("10.0.0.7", "manager", "127.0.0.1.example"):
            assert not await are_within_reach(f"http://{host}:8080", connection)
    assert not await are_within_reach("http://localhost:8080", connection)
