"""The client on streams of events: what it makes of them, and of streams that are none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from rlm_kernel import errors
from rlm_kernel.http.events import EventDecoder, encode
from rlm_kernel.http.messages import Fault
from rlm_kernel.manager import ManagerClient
from rlm_kernel.manager.cell_events import (
    CellEvent,
    CellStarted,
    CellValue,
    StreamText,
)
from rlm_kernel.manager.wire import CellEnd, CellError
from tests.manager.process import ManagerProcess
from tests.manager.test_client import run

END = encode(
    "end", CellEnd(status="ok", error=None, execution_count=1, duration_ms=1.0, state="kept")
)


def test_events_come_as_the_classes_they_are(manager: ManagerProcess) -> None:
    async def scenario(client: ManagerClient) -> None:
        session_id = (await client.create_session()).session_id
        seen = [event async for event in client.execute_stream(session_id, "print('hi'); 6 * 7")]
        kinds = [CellStarted, StreamText, CellValue, CellEnd]
        assert [type(event) for event in seen] == kinds
        assert seen[1] == StreamText(name="stdout", text="hi\n")
        seen = [event async for event in client.execute_stream(session_id, "1 / 0")]
        error, end = seen[-2:]
        assert isinstance(error, CellError)
        assert isinstance(end, CellEnd)
        assert (error.ename, end.error) == ("ZeroDivisionError", error)

    run(manager, scenario)


def test_errors_of_a_stream_come_as_the_classes_they_are(manager: ManagerProcess) -> None:
    async def scenario(client: ManagerClient) -> None:
        with pytest.raises(errors.SessionNotFound):
            await anext(client.execute_stream("unknown", "1"))
        session_id = (await client.create_session()).session_id
        running = client.execute_stream(session_id, "while True: pass")
        assert isinstance(await anext(running), CellStarted)
        with pytest.raises(errors.SessionBusy):
            await anext(client.execute_stream(session_id, "1", queue=False))
        await client.delete_session(session_id)
        *_, end = [event async for event in running]
        assert isinstance(end, CellEnd)
        assert end.state == "lost"

    run(manager, scenario)


def test_whoever_stops_listening_may_end_the_cell(manager: ManagerProcess) -> None:
    async def scenario(client: ManagerClient) -> None:
        session_id = (await client.create_session()).session_id
        running = client.execute_stream(
            session_id, "while True: pass", interrupt_on_disconnect=True
        )
        assert isinstance(await anext(running), CellStarted)
        await running.aclose()
        assert (await client.execute(session_id, "6 * 7")).result == "42"

    run(manager, scenario)


def test_a_call_that_is_cancelled_may_end_the_cell(manager: ManagerProcess) -> None:
    async def scenario(client: ManagerClient) -> None:
        session_id = (await client.create_session()).session_id
        running = asyncio.ensure_future(
            client.execute(session_id, "while True: pass", interrupt_on_disconnect=True)
        )
        while (await client.session(session_id)).executions == 0:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        running.cancel()
        assert (await client.execute(session_id, "6 * 7")).result == "42"

    run(manager, scenario)


def answered(body: bytes, check: Callable[[list[CellEvent]], None] = lambda _: None) -> None:
    """Reads a stream that somebody else has written."""

    class Stranger(RequestHandler):
        def post(self) -> None:
            self.finish(body)

    async def scenario() -> None:
        sockets = bind_sockets(0, "127.0.0.1")
        server = HTTPServer(Application([(r"/session/x/execute", Stranger)]))
        server.add_sockets(sockets)
        try:
            async with ManagerClient("http://{}:{}".format(*sockets[0].getsockname())) as client:
                check([event async for event in client.execute_stream("x", "1")])
        finally:
            server.stop()
            await server.close_all_connections()

    asyncio.run(scenario())


def test_events_and_comments_that_are_not_known_are_left_out() -> None:
    def check(seen: list[CellEvent]) -> None:
        assert [type(event) for event in seen] == [CellEnd]

    answered(b": hello\n\nevent: newer\ndata: {}\n\ndata: {}\n\n: keep-alive\n\n" + END, check)


@pytest.mark.parametrize("body", [b"", b"<html>", b": keep-alive\n\n", END[:-1]])
def test_a_stream_without_an_end_has_broken_off(body: bytes) -> None:
    with pytest.raises(errors.ManagerUnavailable, match="broke off"):
        answered(body)


def test_an_event_of_a_wrong_form_is_told() -> None:
    with pytest.raises(errors.ManagerError, match="'stream'"):
        answered(b"event: stream\ndata: {}\n\n")


def test_a_fault_is_raised() -> None:
    with pytest.raises(errors.ReaderTooSlow, match="why"):
        answered(encode("fault", Fault(code="reader_too_slow", message="why")))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_may_come_in_pieces_of_any_size(size: int) -> None:
    text = "a\n\nb: c\u2028"
    data = encode("stream", StreamText(name="stdout", text=text)) + b": keep-alive\n\n" + END
    decoder, seen = EventDecoder(), []
    for start in range(0, len(data), size):
        seen += list(decoder.feed(data[start : start + size]))
    assert [name for name, _ in seen] == ["stream", "end"]
    assert StreamText.model_validate_json(seen[0][1]).text == text
