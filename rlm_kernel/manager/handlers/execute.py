"""Code in, what it did out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rlm_kernel.errors import BadRequest, SessionBusy, ZygoteError
from rlm_kernel.http.body import read_body
from rlm_kernel.http.events import MEDIA_TYPE
from rlm_kernel.http.handler import Reception
from rlm_kernel.http.negotiation import accepts
from rlm_kernel.http.operation import JSON, Operation, Parameter, by_method
from rlm_kernel.manager import wire
from rlm_kernel.manager.cell_events import EVENTS
from rlm_kernel.manager.handlers.base import IN_SESSION, Handler
from rlm_kernel.manager.handlers.event_stream import EventStream
from rlm_kernel.manager.session import ManagedSession
from rlm_kernel.manager.wire import ExecuteRequest
from rlm_kernel.sandbox import Event, ExecutionResult


class Execute(Handler):
    """`/session/{id}/execute`: one answer at the end, or a stream of events.

    The cell runs on when the client goes away or does not read, unless it asked for the contrary.
    """

    operations = by_method(
        POST=Operation(
            "execute",
            "Run a cell, after those before it",
            {200: {JSON: wire.ExecutionResult, MEDIA_TYPE: EVENTS}},
            (*IN_SESSION, SessionBusy, ZygoteError),
            body={JSON: ExecuteRequest},
            parameters=(
                Parameter("Accept", "header", f"`{MEDIA_TYPE}` for events as they happen"),
            ),
        )
    )

    def initialize(self, services: Reception) -> None:
        super().initialize(services)
        self._hung_up: Callable[[], object] = lambda: None

    async def post(self, session_id: str) -> None:
        session = self.services.manager.get(session_id)
        request = self._request()
        if not request.queue:
            session.refuse_when_busy()
        if accepts(self.request.headers.get("Accept", ""), MEDIA_TYPE):
            await self._stream(session, request)
        else:
            await self._answer_whole(session, request)

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self._hung_up()

    def _when_hung_up(self, act: Callable[[], object]) -> None:
        self._hung_up = act
        if self.client_gone:
            act()

    async def _answer_whole(self, session: ManagedSession, request: ExecuteRequest) -> None:
        if not request.interrupt_on_disconnect:
            self.answer(await _execute(session, request))
            return
        cell = asyncio.ensure_future(_execute(session, request))
        self._when_hung_up(cell.cancel)
        await asyncio.wait({cell})
        if not cell.cancelled():
            self.answer(cell.result())

    async def _stream(self, session: ManagedSession, request: ExecuteRequest) -> None:
        events = EventStream(self.services.stream_bytes)
        cell = asyncio.ensure_future(_execute(session, request, events.observe))
        cell.add_done_callback(events.conclude)

        def give_up() -> None:
            events.end()
            if request.interrupt_on_disconnect:
                cell.cancel()

        events.on_overflow = give_up
        self._when_hung_up(give_up)
        await self.send_events(events)
        await asyncio.wait({cell})

    def _request(self) -> ExecuteRequest:
        request = read_body(ExecuteRequest, self.body)
        if request.timeout is not None and request.timeout > self.services.max_timeout:
            raise BadRequest(f"timeout: at most {self.services.max_timeout:g} seconds")
        return request


async def _execute(
    session: ManagedSession,
    request: ExecuteRequest,
    observe: Callable[[Event], None] | None = None,
) -> ExecutionResult:
    return await session.execute(
        request.code,
        timeout=request.timeout,
        observe=observe,
        interrupt_when_cancelled=request.interrupt_on_disconnect,
        author=request.author,
    )
