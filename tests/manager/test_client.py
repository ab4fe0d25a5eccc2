"""The client: every call against a real manager, and every way to get no answer."""

from __future__ import annotations

import asyncio
import io
import os
import socket
import tarfile
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from rlm_kernel import errors
from rlm_kernel.manager import ManagerClient
from rlm_kernel.manager.wire import ExecutionResult
from rlm_kernel.sandbox import ExecutionResult as SandboxResult
from tests.manager.process import ManagerProcess

Scenario = Callable[[ManagerClient], Awaitable[None]]


def run(manager: ManagerProcess, scenario: Scenario) -> None:
    async def connected() -> None:
        async with ManagerClient(manager.url) as client:
            try:
                await scenario(client)
            finally:
                await client.delete_all()

    asyncio.run(connected())


def test_every_call_does_what_it_says(manager: ManagerProcess) -> None:
    async def scenario(client: ManagerClient) -> None:
        info = await client.create_session()
        session_id = info.session_id
        result = await client.execute(session_id, "print('hi'); x = 6; x * 7")
        assert (result.stdout, result.result, result.state) == ("hi\n", "42", "kept")
        assert (await client.execute(session_id, "while True: pass", timeout=0.3)).status == (
            "timeout"
        )
        await client.put_file(session_id, "deep/a b?.bin", bytes(range(256)))
        assert await client.get_file(session_id, "deep/a b?.bin") == bytes(range(256))
        details = await client.session(session_id)
        assert (details.session_id, details.executions) == (session_id, 2)
        assert details.created_at == info.created_at
        assert [one.session_id for one in await client.list_sessions()] == [session_id]
        assert (await client.connection(session_id))["transport"] == "tcp"
        await client.interrupt(session_id)
        await client.restart(session_id)
        assert (await client.execute(session_id, "'x' in globals()")).result == "False"
        fork = await client.fork_session(session_id, owned=True)
        assert (await client.execute(fork.session_id, "6 * 7")).result == "42"
        forked = await client.session(fork.session_id)
        assert (forked.forked_from, forked.owned) == (session_id, True)
        for each in (session_id, fork.session_id):
            await client.delete_session(each)
        assert await client.list_sessions() == []
        assert (await client.health()).zygote == "ready"
        assert (await client.ready()).status == "ready"
        await client.create_session()
        assert await client.delete_all() == 1

    run(manager, scenario)


def test_when_to_try_again_is_in_the_error() -> None:
    async def fill(client: ManagerClient) -> None:
        await client.create_session()
        with pytest.raises(errors.TooManySessions) as raised:
            await client.create_session()
        assert raised.value.retry_after is not None
        assert 1790 <= raised.value.retry_after <= 1800

    limits = {"MAX_SESSIONS": "1", "SESSION_TTL": "1800"}
    with ManagerProcess(environment=limits) as manager:
        run(manager, fill)


def test_a_file_may_be_sent_as_it_is_made(manager: ManagerProcess) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for n in range(3):
            yield bytes([n]) * 500_000

    async def scenario(client: ManagerClient) -> None:
        session_id = (await client.create_session()).session_id
        await client.put_file(session_id, "/tmp/absolute", pieces())
        result = await client.execute(session_id, "import os; os.path.getsize('/tmp/absolute')")
        assert result.result == "1500000"

    run(manager, scenario)


def test_files_and_folders_are_read_listed_and_removed(manager: ManagerProcess) -> None:
    async def scenario(client: ManagerClient) -> None:
        session_id = (await client.create_session()).session_id
        data, odd = bytes(range(256)) * 20_000, os.fsdecode(b"top/\xff")
        await client.put_file(session_id, "top/data", data)
        await client.put_file(session_id, odd, b"odd")
        read = b"".join([piece async for piece in client.read_file(session_id, "top/data")])
        assert read == data
        part = client.read_file(session_id, "top/data", start=5, end=4_000_000)
        assert b"".join([piece async for piece in part]) == data[5:4_000_000]
        tail = client.read_file(session_id, "top/data", start=len(data) - 1)
        assert b"".join([piece async for piece in tail]) == data[-1:]
        assert await client.get_file(session_id, odd) == b"odd"
        listed = await client.list_files(session_id, "top")
        assert [(entry.quoted, entry.size) for entry in listed] == [
            ("data", len(data)),
            ("%FF", 3),
        ]
        assert "top" in [entry.name for entry in await client.list_files(session_id)]
        archive = b"".join([piece async for piece in client.read_folder(session_id, "top")])
        with tarfile.open(fileobj=io.BytesIO(archive)) as members:
            assert len(members.getnames()) == 2
        await client.delete_file(session_id, "top")
        assert "top" not in [entry.name for entry in await client.list_files(session_id)]
        with pytest.raises(errors.FileMissing):
            await client.list_files(session_id, "top")
        await client.put_file(session_id, "short", b"123")
        with pytest.raises(errors.RangeNotSatisfiable):
            await anext(client.read_file(session_id, "short", start=3))
        with pytest.raises(errors.BadRequest):
            await client.get_file(session_id, "\ud800")

    run(manager, scenario)


def test_a_long_listing_comes_whole(manager: ManagerProcess) -> None:
    async def scenario(client: ManagerClient) -> None:
        session_id = (await client.create_session()).session_id
        code = "import os; os.mkdir('many')\nfor n in range(2000): open(f'many/{n}', 'w').close()"
        await client.execute(session_id, code)
        assert len(await client.list_files(session_id, "many/")) == 2000

    run(manager, scenario)


def test_errors_come_as_the_classes_they_are(manager: ManagerProcess) -> None:
    async def scenario(client: ManagerClient) -> None:
        with pytest.raises(errors.SessionNotFound, match=r"'no/\.\./such'"):
            await client.execute("no/../such", "1")
        session_id = (await client.create_session()).session_id
        with pytest.raises(errors.BadRequest, match="at most"):
            await client.execute(session_id, "1", timeout=1e9)
        with pytest.raises(errors.FileMissing):
            await client.get_file(session_id, "nothing")
        with pytest.raises(errors.BodyTooLarge):
            await client.execute(session_id, "#" * (17 << 20))

    run(manager, scenario)


@pytest.mark.parametrize(
    "arguments", [{"code": "\ud800"}, {"code": 1}, {"code": "1", "timeout": -1.0}]
)
def test_what_cannot_be_sent_is_a_bad_request(arguments: dict[str, Any]) -> None:
    async def scenario() -> None:
        async with ManagerClient() as client:
            with pytest.raises(errors.BadRequest):
                await client.execute("id", **arguments)

    asyncio.run(scenario())


def test_nobody_listening_is_told() -> None:
    async def scenario(url: str) -> None:
        async with ManagerClient(url) as client:
            with pytest.raises(errors.ManagerUnavailable, match=url):
                await client.create_session()

    with socket.socket() as bound:  # so that nobody else can listen there
        bound.bind(("127.0.0.1", 0))
        asyncio.run(scenario("http://{}:{}".format(*bound.getsockname())))


@pytest.mark.parametrize("url", ["http://x:port", "http://[::1"])
def test_what_is_no_url_is_told(url: str) -> None:
    with pytest.raises(errors.ConfigurationError, match="is not a URL"):
        ManagerClient(url)


def test_a_connection_that_breaks_is_told() -> None:
    async def scenario() -> None:
        server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
        url = "http://{}:{}".format(*server.sockets[0].getsockname())
        async with server, ManagerClient(url) as client:
            with pytest.raises(errors.ManagerUnavailable):
                await client.health()

    asyncio.run(scenario())


@pytest.mark.parametrize("status", [200, 404, 502])
def test_something_else_at_that_address_is_told(status: int) -> None:
    class Stranger(RequestHandler):
        def get(self) -> None:
            self.set_status(status)
            self.finish("<html>hello</html>")

    async def scenario() -> None:
        sockets = bind_sockets(0, "127.0.0.1")
        server = HTTPServer(Application([("/health", Stranger)]))
        server.add_sockets(sockets)
        async with ManagerClient("http://{}:{}".format(*sockets[0].getsockname())) as client:
            with pytest.raises(errors.ManagerError, match="is it"):
                await client.health()
        server.stop()
        await server.close_all_connections()

    asyncio.run(scenario())


def test_no_proxy_is_used(manager: ManagerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    async def scenario(client: ManagerClient) -> None:
        await client.health()

    run(manager, scenario)


def test_the_result_on_the_wire_is_the_sandboxes() -> None:
    """The client has a class of its own for it, to be light; the two may not drift apart."""
    ours, theirs = ExecutionResult.model_fields, SandboxResult.model_fields
    assert set(ours) == set(theirs)
    result = SandboxResult(status="ok", result="1", display=[{"text/plain": "x"}])
    read = ExecutionResult.model_validate_json(result.model_dump_json())
    assert read.model_dump() == result.model_dump()
