"""Spans: none without the SDK; with it, the right parents from the client to the cell."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from rlm_kernel.errors import SessionNotFound
from rlm_kernel.manager import ManagerClient, ManagerServer
from rlm_kernel.settings import ManagerSettings

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

Scenario = Callable[[ManagerServer, ManagerClient], Awaitable[None]]


class Spans:
    """Those that have ended, by their names."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    def __getitem__(self, name: str) -> list[ReadableSpan]:
        return [span for span in self._exporter.get_finished_spans() if span.name == name]

    async def wait_for(self, name: str) -> ReadableSpan:
        while not self[name]:  # noqa: ASYNC110 - an answer is read before its span has ended
            await asyncio.sleep(0.01)
        return self[name][-1]


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Spans:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr("opentelemetry.trace._TRACER_PROVIDER", provider)
    return Spans(exporter)


def play(scenario: Scenario) -> None:
    async def with_manager() -> None:
        settings = ManagerSettings.from_environment(host="127.0.0.1", port=0)
        async with ManagerServer(settings) as manager, ManagerClient(manager.url) as client:
            await scenario(manager, client)

    asyncio.run(with_manager())


def parent_of(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


def id_of(span: ReadableSpan) -> int:
    context = span.get_span_context()
    assert context is not None
    return context.span_id


def test_a_cell_is_traced_from_its_client_to_its_session(spans: Spans) -> None:
    async def scenario(_: ManagerServer, client: ManagerClient) -> None:
        with trace.get_tracer("test").start_as_current_span("the caller's own"):
            session_id = (await client.create_session()).session_id
            await client.execute(session_id, "1 / 0")
            with pytest.raises(SessionNotFound):
                await client.execute("nowhere", "1")
        caller = spans["the caller's own"][0]
        creating = await spans.wait_for("POST /session")
        executing, failing = spans["POST /session/{id}/execute"]
        assert parent_of(creating) == parent_of(executing) == parent_of(failing) == id_of(caller)
        assert executing.kind is trace.SpanKind.SERVER
        attributes = executing.attributes or {}
        assert attributes["http.request.method"] == "POST"
        assert attributes["http.route"] == "/session/{id}/execute"
        assert attributes["http.response.status_code"] == 200
        assert attributes["url.path"] == f"/session/{session_id}/execute"
        assert attributes["client.address"] == "127.0.0.1"
        assert (failing.attributes or {})["http.response.status_code"] == 404
        (created,), (executed,) = spans["session.create"], spans["session.execute"]
        assert parent_of(created) == id_of(creating)
        assert parent_of(executed) == id_of(executing)
        assert created.attributes == {"rlm_kernel.session_id": session_id}
        assert executed.attributes == {
            "rlm_kernel.session_id": session_id,
            "rlm_kernel.status": "error",
            "rlm_kernel.state": "kept",
        }
        boot = spans["zygote.boot"][0]
        assert boot.end_time is not None
        assert boot.start_time is not None
        assert boot.end_time - boot.start_time > 10e6

    play(scenario)


def test_the_span_of_whoever_asks_is_continued_and_that_of_another_is_not(
    spans: Spans,
) -> None:
    async def scenario(manager: ManagerServer, _: ManagerClient) -> None:
        async with httpx.AsyncClient(base_url=manager.url, trust_env=False) as http:
            await http.get("/health", headers={"traceparent": TRACEPARENT})
            await http.get("/sessions")
            await http.get("/nowhere", headers={"traceparent": "nonsense"})
        continued = await spans.wait_for("GET /health")
        begun = [await spans.wait_for("GET /sessions"), await spans.wait_for("GET other")]
        assert continued.parent is not None
        assert continued.parent.trace_id == 0x0AF7651916CD43DD8448EB211C80319C
        assert continued.parent.span_id == 0xB7AD6B7169203331
        assert [span.parent for span in begun] == [None, None]

    play(scenario)


def test_a_request_that_breaks_off_ends_its_span_as_failed(spans: Spans) -> None:
    async def scenario(manager: ManagerServer, _: ManagerClient) -> None:
        host, port = manager.url.removeprefix("http://").split(":")
        writer = (await asyncio.open_connection(host, int(port)))[1]
        writer.write(b"POST /session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{")
        await writer.drain()
        writer.close()
        assert (await spans.wait_for("POST")).status.status_code is trace.StatusCode.ERROR

    play(scenario)


def test_without_an_sdk_nothing_of_opentelemetry_is_even_imported() -> None:
    script = (
        "import asyncio, sys\n"
        "from rlm_kernel.http import tracing, server; from rlm_kernel.manager import client\n"
        "with tracing.span('nothing', a=1) as span: span.set_attribute('b', 2)\n"
        "headers = {}\n"
        "tracing.carry(headers)\n"
        "tracing.RequestSpan.begin('GET', '/', {}, 'me').answered('GET', '/', 500)\n"
        "assert headers == {}\n"
        "print(*(name for name in sys.modules if name.startswith('opentelemetry')))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == []
