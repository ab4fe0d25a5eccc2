"""The protocol core of one session: requests in, replies and published messages out.

It knows no transport. Transports decode and check what arrives, call `Kernel.handle`, and are
`Sink`s; each of their peers is a `Client`.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Literal, TypeVar

from pydantic import ValidationError

from rlm_kernel import log_fields
from rlm_kernel.errors import SubshellError
from rlm_kernel.kernel.caller import Caller, Nobody
from rlm_kernel.kernel.contents import ExecuteContent, ShutdownContent
from rlm_kernel.kernel.errand import Errand
from rlm_kernel.kernel.guest_content import for_clients
from rlm_kernel.kernel.message import USERNAME, Channel, Message, Mint
from rlm_kernel.kernel.publisher import Publisher
from rlm_kernel.kernel.questions import Questions
from rlm_kernel.kernel.replay import Replay
from rlm_kernel.kernel.request import Origin, Origins, Request
from rlm_kernel.kernel.service import GUEST_MESSAGES, Service
from rlm_kernel.kernel.sink import Client, GuestSession, Sink
from rlm_kernel.kernel.subshells import Subshells
from rlm_kernel.sandbox import Event, ExecutionResult

Result = TypeVar("Result")


class Kernel:
    """One session as a Jupyter kernel, on the running event loop.

    Everyone's requests wait in one line, and in one more for each subshell, and are served in the
    order in which they came; control requests never wait. `executions` counts the cells that have
    run, `last_activity` is when a request last began or ended (UTC). `on_shutdown(restart)` is
    awaited when a client has asked for a shutdown, after it was answered; without one the kernel
    restarts or closes itself. `on_executed(status, seconds)` is called once a cell was answered: it
    was `ok`, `error` or `timeout`. What the session is the cause of is logged in `context`, which
    names it. `replay` holds the latest of what was published, as much as `replay_bytes` allow. The
    kernel of a forked session starts with the replay of the one that it was `forked_from`.
    """

    def __init__(
        self,
        session: GuestSession,
        kernel_id: str | None = None,
        *,
        replay_bytes: int = 0,
        forked_from: Kernel | None = None,
    ) -> None:
        self.kernel_id = kernel_id or str(uuid.uuid4())
        self.executions = 0
        self.last_activity = datetime.now(UTC)
        self.on_shutdown: Callable[[bool], Awaitable[None]] = self._shut_down
        self.on_executed: Callable[[str, float], None] = lambda status, seconds: None
        self.mint = Mint()
        self.context = log_fields.context(session_id=self.kernel_id)
        self._session = session
        self._session.on_event = lambda event: self.context.copy().run(self._on_event, event)
        self._publisher = Publisher(self.mint)
        self.replay: Replay = forked_from.replay.copy() if forked_from else Replay(replay_bytes)
        if replay_bytes:
            self._publisher.attach(self.replay)
        self._questions = Questions(session, self.mint)
        self._origins: Origins = Origins(after=forked_from._origins if forked_from else None)
        self._line = Subshells(self._serve, self.context)
        self._service = Service(
            session,
            self.mint,
            self._publisher,
            emit=self._on_event,
            executed=lambda status, seconds: self.on_executed(status, seconds),
            subshells=self._line,
        )
        self._shutdowns: set[asyncio.Task[None]] = set()
        self._closed = False
        self._said_goodbye = False

    @property
    def status(self) -> Literal["idle", "busy"]:
        return "busy" if self._line.busy else "idle"

    @property
    def waiting(self) -> int:
        """How many requests wait in line behind the one that is being served."""
        return self._line.waiting

    def attach(self, sink: Sink) -> None:
        """Has `sink` take everything that is published from now on."""
        self._publisher.attach(sink)

    def detach(self, sink: Sink) -> None:
        self._publisher.detach(sink)

    def record_ports(self, ports: Mapping[str, int]) -> None:
        """Sets what a `connect_request` is answered with."""
        self._service.ports = ports

    async def execute(
        self,
        code: str,
        *,
        timeout: float | None = None,
        observe: Callable[[Event], None] | None = None,
        interrupt_when_cancelled: bool = False,
        author: str = USERNAME,
    ) -> ExecutionResult:
        """Executes code as one more client, seen by everyone attached as code of `author`.

        `observe` is called with each event as it happens, and the result is without outputs then.

        `timeout` is in seconds from when the code starts to run. There is nobody to ask: `input()`
        and host calls raise StdinNotImplementedError in the code. Raises SandboxError when the
        session cannot run code at all. When cancelled, code that has not started will not run;
        code that runs goes on, unless it is to be interrupted.
        """
        caller = Caller(observe)
        header = self.mint.header("execute_request", author)
        origin = Origin(header, caller, caller.observe)
        message = Message(header, ExecuteContent(code=code).model_dump())
        request = Request(self._origins.add(origin), "shell", message, caller, timeout)
        self._line.put(request)
        try:
            return await caller.outcome
        except asyncio.CancelledError:
            if interrupt_when_cancelled:
                self._session.interrupt(request.id)
            raise
        finally:
            if self._line.discard(request):
                self._origins.end(request.id)
            origin.client, origin.observer = Nobody(), None

    async def in_turn(self, work: Callable[[], Awaitable[Result]]) -> Result:
        """Does `work` when all requests before it are served, and before those after it.

        Raises RequestAborted when the kernel is restarted first. When cancelled, work that has not
        begun will not; what has goes on.
        """
        errand = Errand(self.mint, work)
        self._line.put(errand)
        result: Result = await errand.outcome
        return result

    def handle(
        self, channel: Channel, message: Message, client: Client, *, may_end: bool = True
    ) -> None:
        """Takes one message of a client, decoded and checked.

        One that asks for a shutdown without a restart is answered but not obeyed unless `may_end`.
        """
        if channel == "stdin":
            self._questions.answer(message, client)
            return
        request = Request("", channel, message, client)  # an id is for what the session may get
        if message.kind == "interrupt_request":
            self._service.interrupt(request)
        elif message.kind == "shutdown_request":
            self._begin_shutdown(request, may_end)
        elif channel == "control" and message.kind not in GUEST_MESSAGES:
            self._service.serve_now(request)
        else:
            self._put(request)

    def dismiss(self, client: Client) -> None:
        """The client will not be back: what it was asked is refused, what it sent is served."""
        self._questions.abandon(client)

    def _put(self, request: Request) -> None:
        request.id = self._origins.add(Origin(request.header, request.client))
        try:
            self._line.put(request)
        except SubshellError as error:
            self._service.refuse(request, error)
            self._origins.end(request.id)

    def interrupt(self) -> None:
        """Raises KeyboardInterrupt in the running cell, or the one about to run, if any."""
        self._service.interrupt_cell()

    async def restart(self) -> None:
        """Gives the kernel a fresh session without subshells; cells that wait are aborted."""
        self._line.abort_all()
        self._line.delete_all()
        await self._session.restart()
        self._publisher.status("starting")
        if not self._line.busy:
            self._publisher.status("idle")

    async def settled(self) -> None:
        """Returns when every request that has come was served."""
        await self._line.wait_empty()

    async def close(self) -> None:
        """Ends the session; everyone who still waits is answered with an error. Idempotent."""
        if self._closed:
            return
        self._closed = self._service.closing = True
        await self._session.close()
        await self._line.wait_empty()
        if not self._said_goodbye:
            self._publisher.publish("shutdown_reply", {"status": "ok", "restart": False}, None)

    async def _serve(self, request: Request) -> None:
        if isinstance(request, Errand):
            await request.run()
            return
        self.last_activity = datetime.now(UTC)
        await self._service.serve(request)
        self._questions.end(request.id)
        self._origins.end(request.id)
        self.last_activity = datetime.now(UTC)

    def _on_event(self, event: Event) -> None:
        origin = self._origins.get(event.request_id)
        if event.kind == "input_request":
            self._questions.ask(event, origin)
            return
        if event.kind == "execute_input":
            self.executions += 1
        header = None if origin is None else origin.header
        content, metadata = for_clients(event)
        self._publisher.publish(event.kind, content, header, event.buffers, metadata)
        if origin is not None and origin.observer is not None:
            origin.observer(event)

    def _begin_shutdown(self, request: Request, may_end: bool) -> None:
        try:
            restart = ShutdownContent.model_validate(request.content).restart
        except ValidationError:
            restart = False
        if not restart and not may_end:
            self._service.decline_shutdown(request)
            return
        self._service.acknowledge_shutdown(request, restart)
        self._said_goodbye = True
        task = asyncio.ensure_future(self.on_shutdown(restart))
        self._shutdowns.add(task)
        task.add_done_callback(self._shutdowns.discard)

    async def _shut_down(self, restart: bool) -> None:
        await (self.restart() if restart else self.close())
