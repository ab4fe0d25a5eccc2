"""Limits on connections and on slowness, over real sockets; the clock is the test's."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler, stream_request_body
from tornado.websocket import WebSocketHandler

from rlm_kernel.http import connections as limits
from rlm_kernel.http.connections import Connections
from rlm_kernel.http.server import BoundedHTTPServer

HEAD = b"%s HTTP/1.1\r\nHost: localhost\r\n"
GET = HEAD % b"GET /quick" + b"\r\n"
UPLOAD = HEAD % b"PUT /upload" + b"Content-Length: 100000\r\n\r\n"
UPGRADE = (
    HEAD % b"GET /socket" + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
PLENTY = 64 << 20

Scenario = Callable[["Served"], Awaitable[None]]


class Quick(RequestHandler):
    def get(self) -> None:
        self.finish("quick")


class Endless(RequestHandler):
    """Answers when it is told to."""

    async def get(self) -> None:
        self.settings["arrived"].append(self.request.path)
        await self.settings["gate"].wait()
        self.finish("at last")


class Plenty(RequestHandler):
    async def get(self) -> None:
        self.write(b"x" * PLENTY)
        await self.finish()


@stream_request_body
class Upload(RequestHandler):
    """Takes a first piece, and the others once it is told to."""

    async def data_received(self, chunk: bytes) -> None:
        if self.request.headers.get("X-Wait"):
            self.settings["arrived"].append(self.request.path)
            await self.settings["gate"].wait()

    def put(self) -> None:
        self.finish("taken")


class Socket(WebSocketHandler):
    pass


@dataclass
class Served:
    port: int
    connections: Connections
    arrived: list[str]
    gate: asyncio.Event
    closed: list[str] = field(default_factory=list)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def connect(self, data: bytes = b"") -> asyncio.StreamReader:
        before = len(self.connections)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers.append(writer)
        writer.write(data)
        await writer.drain()
        if before < 3:
            await self.until(lambda: len(self.connections) > before)
        return reader

    async def sent(self, reader: asyncio.StreamReader) -> bytes:
        """All that comes until the server hangs up."""
        return await reader.read()

    async def until(self, reached: Callable[[], bool]) -> None:
        while not reached():  # noqa: ASYNC110 - what it waits for sets no event
            await asyncio.sleep(0.01)

    async def sweep_until(self, reached: Callable[[], bool]) -> None:
        while not reached():
            self.connections.sweep()
            await asyncio.sleep(0.01)


@asynccontextmanager
async def serving() -> AsyncIterator[Served]:
    closed: list[str] = []
    connections = Connections(3, closed.append)
    arrived: list[str] = []
    gate = asyncio.Event()
    routes = [("/quick", Quick), ("/endless", Endless), ("/plenty", Plenty), ("/upload", Upload)]
    application = Application(
        [*routes, ("/socket", Socket)], arrived=arrived, gate=gate, log_function=_silent
    )
    server = BoundedHTTPServer(application, connections=connections)
    sockets = bind_sockets(0, "127.0.0.1", family=socket.AF_INET)
    server.add_sockets(sockets)
    served = Served(sockets[0].getsockname()[1], connections, arrived, gate, closed)
    try:
        yield served
    finally:
        server.stop()
        for writer in served.writers:
            writer.close()
        await server.close_all_connections()
        connections.close()
        await served.until(lambda: not len(connections))


def _silent(handler: RequestHandler) -> None:
    pass


def play(scenario: Scenario) -> None:
    async def with_server() -> None:
        async with serving() as served:
            await scenario(served)

    asyncio.run(with_server())


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is slow has been so for long enough."""
    for name in ("HEADER_SECONDS", "BODY_SECONDS", "ANSWER_SECONDS"):
        monkeypatch.setattr(limits, name, 0.0)


def test_the_longest_idle_connection_makes_room_for_one_more() -> None:
    async def scenario(served: Served) -> None:
        first = await served.connect(GET)
        await first.readuntil(b"quick")
        second, third = [await served.connect(GET) for _ in range(2)]
        await second.readuntil(b"quick")
        await third.readuntil(b"quick")
        await served.until(lambda: served.connections.idle == 3)
        fourth = await served.connect(GET)
        assert await fourth.readuntil(b"quick")
        assert await served.sent(first) == b""
        assert served.closed == ["too_many"]
        assert len(served.connections) == 3

    play(scenario)


def test_connections_that_all_have_a_request_leave_no_room() -> None:
    async def scenario(served: Served) -> None:
        busy = [await served.connect(HEAD % b"GET /endless" + b"\r\n") for _ in range(3)]
        await served.until(lambda: len(served.arrived) == 3)
        refused = await served.sent(await served.connect(GET))
        assert refused.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert b"\r\nRetry-After: 1\r\n" in refused
        assert b'"too_many_connections"' in refused
        served.gate.set()
        for each in busy:
            await each.readuntil(b"at last")
        await served.until(lambda: served.connections.idle == 3)
        await (await served.connect(GET)).readuntil(b"quick")

    play(scenario)


@pytest.mark.usefixtures("impatient")
def test_headers_that_do_not_end_are_a_408() -> None:
    async def scenario(served: Served) -> None:
        reader = await served.connect(GET[:-2])
        await served.sweep_until(lambda: served.closed == ["slow_request"])
        answer = await served.sent(reader)
        assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert b'"request_too_slow"' in answer

    play(scenario)


@pytest.mark.usefixtures("impatient")
def test_headers_after_an_answer_that_do_not_end_are_a_408_too() -> None:
    async def scenario(served: Served) -> None:
        reader = await served.connect(GET)
        await reader.readuntil(b"quick")
        served.connections.sweep()
        assert served.closed == []
        served.writers[-1].write(b"GET")
        await served.sweep_until(lambda: served.closed == ["slow_request"])
        assert (await served.sent(reader)).startswith(b"HTTP/1.1 408")

    play(scenario)


@pytest.mark.usefixtures("impatient")
def test_a_body_that_does_not_come_is_a_408() -> None:
    async def scenario(served: Served) -> None:
        reader = await served.connect(UPLOAD + b"x" * 10)
        await served.sweep_until(lambda: served.closed == ["slow_request"])
        assert (await served.sent(reader)).startswith(b"HTTP/1.1 408")

    play(scenario)


def test_a_body_that_the_manager_itself_keeps_waiting_is_not_slow(
    monkeypatch: pytest.MonkeyPatch, impatient: None
) -> None:
    async def scenario(served: Served) -> None:
        waiting = UPLOAD.replace(b"Content-Length", b"X-Wait: 1\r\nContent-Length")
        reader = await served.connect(waiting + b"x" * 100_000)
        await served.until(lambda: bool(served.arrived))
        for _ in range(10):
            served.connections.sweep()
        assert served.closed == []
        monkeypatch.setattr(limits, "BODY_SECONDS", 60.0)
        served.gate.set()
        await reader.readuntil(b"taken")

    play(scenario)


@pytest.mark.usefixtures("impatient")
def test_one_who_does_not_read_the_answer_is_hung_up_on() -> None:
    async def scenario(served: Served) -> None:
        await served.connect(HEAD % b"GET /plenty" + b"\r\n")
        await served.sweep_until(lambda: served.closed == ["slow_reader"])
        await served.until(lambda: len(served.connections) == 0)

    play(scenario)


@pytest.mark.usefixtures("impatient")
def test_those_who_only_wait_are_left_alone() -> None:
    async def scenario(served: Served) -> None:
        await served.connect()
        await served.connect(HEAD % b"GET /endless" + b"\r\n")
        upgraded = await served.connect(UPGRADE)
        assert b" 101 " in await upgraded.readuntil(b"\r\n\r\n")
        await served.until(lambda: bool(served.arrived))
        await served.until(lambda: served.connections.idle == 1)
        for _ in range(10):
            served.connections.sweep()
        assert served.closed == []
        assert len(served.connections) == 3

    play(scenario)
