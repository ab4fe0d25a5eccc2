"""Answering one request: from the busy status to the idle status, whatever happens between."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

from pydantic import ValidationError

from rlm_kernel.errors import RLMKernelError, SubshellError
from rlm_kernel.guest.budget import COMM_MESSAGES
from rlm_kernel.kernel.contents import ExecuteContent, error_content, malformed_content
from rlm_kernel.kernel.guest_content import for_guest
from rlm_kernel.kernel.info import kernel_info
from rlm_kernel.kernel.message import Content, Mint, now
from rlm_kernel.kernel.publisher import Publisher
from rlm_kernel.kernel.request import Request
from rlm_kernel.kernel.sink import GuestSession
from rlm_kernel.kernel.subshells import Subshells
from rlm_kernel.kernel.usage import Usage
from rlm_kernel.sandbox import Event, Reply

GUEST_MESSAGES = COMM_MESSAGES | {
    "execute_request",
    "is_complete_request",
    "complete_request",
    "inspect_request",
    "history_request",
    "comm_info_request",
}
SUBSHELL_MESSAGES = frozenset(
    {"create_subshell_request", "delete_subshell_request", "list_subshell_request"}
)
SHOWN_KIND = 80
LOST_BEFORE = (
    "rlm-kernel: the session's process ended before this cell ran, and all variables of earlier "
    "cells are lost. This cell ran in a fresh process.\n"
)
ROLLED_BACK_BEFORE = (
    "rlm-kernel: the session's process ended before this cell ran, which ran in a copy of it from "
    "before. What the session did just before its end may be missing.\n"
)
LOSSES_BEFORE = {"lost": LOST_BEFORE, "rolled_back": ROLLED_BACK_BEFORE}
LOSSES = {
    "lost": "rlm-kernel: the session's process ended while this cell ran, and all variables are "
    "lost. The next cell runs in a fresh process.\n",
    "rolled_back": "rlm-kernel: the session's process ended. The session goes on in a copy of it "
    "from before; an error of this cell says from before what.\n",
}
DEATH = "SessionDied"
"""The ename that a session's reply gives to a cell whose process ended under it."""

log = logging.getLogger(__name__)


class Service:
    """Answers requests, with the session where it takes one.

    `emit` takes what the kernel has to say as if the running code had said it. `executed`
    takes how a cell ended and after how many seconds.
    """

    def __init__(
        self,
        session: GuestSession,
        mint: Mint,
        publisher: Publisher,
        emit: Callable[[Event], None],
        executed: Callable[[str, float], None],
        subshells: Subshells,
    ) -> None:
        self.ports: Mapping[str, int] = {}
        self.closing = False
        self._session = session
        self._mint = mint
        self._usage = Usage()
        self._publisher = publisher
        self._emit = emit
        self._executed = executed
        self._subshells = subshells

    async def serve(self, request: Request) -> None:
        """Answers a request that may need the session."""
        self._publisher.status("busy", request.header)
        try:
            await self._answer(request)
        except ValidationError as error:
            self._fail(request, malformed_content(error))
        except Exception as error:
            self._fail(request, self._failure(request, error))
        self._publisher.status("idle", request.header)

    def serve_now(self, request: Request) -> None:
        """Answers a request that does not need the session."""
        self._publisher.status("busy", request.header)
        self._answer_alone(request)
        self._publisher.status("idle", request.header)

    def refuse(self, request: Request, error: RLMKernelError) -> None:
        """Answers a request that cannot be served."""
        self._publisher.status("busy", request.header)
        self._fail(request, self._failure(request, error))
        self._publisher.status("idle", request.header)

    def interrupt(self, request: Request) -> None:
        """Answers an `interrupt_request`.

        It has no status messages: a kernel manager's client counts its message ids as the manager
        does, and would take the idle status of an interrupt for that of a cell.
        """
        try:
            self.interrupt_cell()
        except Exception as error:
            self._reply(request, self._failure(request, error))
        else:
            self._reply(request, {"status": "ok"})

    def interrupt_cell(self) -> None:
        """Interrupts the running cell, or the one that has come and is about to run."""
        if not self._subshells.interrupt_next():
            self._session.interrupt()

    def acknowledge_shutdown(self, request: Request, restart: bool) -> None:
        """Answers a `shutdown_request` and tells everyone."""
        content: Content = {"status": "ok", "restart": restart}
        self._publisher.status("busy", request.header)
        self._reply(request, content)
        self._publisher.publish("shutdown_reply", content, request.header)
        self._publisher.status("idle", request.header)

    def decline_shutdown(self, request: Request) -> None:
        """Answers a `shutdown_request` as if it were obeyed, and tells nobody else."""
        self._publisher.status("busy", request.header)
        self._reply(request, {"status": "ok", "restart": False})
        self._publisher.status("idle", request.header)

    async def _answer(self, request: Request) -> None:
        kind = request.message.kind
        if request.aborted:
            self._reply(request, {"status": "aborted"}, {"status": "aborted"})
        elif kind == "execute_request":
            await self._execute(request)
        elif kind in GUEST_MESSAGES:
            await self._pass_on(request)
        else:
            self._answer_alone(request)

    def _answer_alone(self, request: Request) -> None:
        kind = request.message.kind
        if kind == "kernel_info_request":
            self._reply(request, kernel_info())
        elif kind in SUBSHELL_MESSAGES:
            self._manage_subshells(request)
        elif kind == "usage_request":
            self._reply(request, self._usage.read(self._session.pid))
        elif kind == "debug_request":
            self._reply(request, error_content("NoDebugger", "this kernel has no debugger"))
        elif kind == "connect_request":
            self._reply(request, {"status": "ok", **self.ports})
        else:
            log.warning("unknown message type %r on %s", kind[:SHOWN_KIND], request.channel)
            self._reply(request, error_content("UnknownMessageType", kind[:SHOWN_KIND]))

    def _manage_subshells(self, request: Request) -> None:
        content: Content = {"status": "ok"}
        try:
            if request.message.kind == "create_subshell_request":
                content["subshell_id"] = self._subshells.create()
            elif request.message.kind == "delete_subshell_request":
                self._subshells.delete(request.content.get("subshell_id"))
            else:
                content["subshell_id"] = self._subshells.ids
        except SubshellError as error:
            content = self._failure(request, error)
        self._reply(request, content)

    async def _ask_guest(self, request: Request, content: Content) -> Reply:
        if request.interrupted:  # as soon as the session has it
            asyncio.get_running_loop().call_soon(self._session.interrupt)
        return await self._session.request(
            request.message.kind,
            for_guest(request.message, content),
            request_id=request.id,
            timeout=request.time_limit,
            buffers=request.message.buffers,
        )

    async def _pass_on(self, request: Request) -> None:
        """Answers with what the guest answers."""
        content = (await self._ask_guest(request, request.content)).content
        if request.message.kind == "comm_info_request" and content.get("status") != "ok":
            content = {"status": "ok", "comms": {}}
        self._reply(request, content)

    async def _execute(self, request: Request) -> None:
        asked = ExecuteContent.model_validate(request.content)
        started, clock = now(), perf_counter()
        reply = await self._ask_guest(request, vars(asked))
        self._tell_state(request, reply)
        status = reply.content.get("status", "error")
        seconds = perf_counter() - clock
        facts = {
            "started": started,
            "dependencies_met": True,
            "status": status,
            "state": reply.state,
            "timed_out": reply.timed_out,
            "duration_ms": round(seconds * 1000, 3),
        }
        self._reply(request, {"execution_count": 0, "payload": []} | reply.content, facts)
        self._executed("timeout" if reply.timed_out else status, seconds)
        if status != "ok" and asked.stop_on_error and not asked.silent:
            self._publisher.drain()
            self._subshells.abort_behind(request)

    def _tell_state(self, request: Request, reply: Reply) -> None:
        """Says as output of the cell what became of the session's variables, unless they are kept.

        A cell that died is shown its end as an error too; any other has shown its own.
        """
        if reply.state == "kept":
            return
        died = reply.content.get("ename") == DEATH
        if not self.closing:
            self._say(request, (LOSSES if died else LOSSES_BEFORE)[reply.state])
        if died:
            self._emit_error(request, reply.content)

    def _say(self, request: Request, text: str) -> None:
        self._emit(Event("stream", request.id, {"name": "stderr", "text": text}))

    def _emit_error(self, request: Request, content: Content) -> None:
        error = {"ename": content.get("ename", ""), "evalue": content.get("evalue", "")}
        self._emit(Event("error", request.id, error | {"traceback": content.get("traceback", [])}))

    def _fail(self, request: Request, content: Content) -> None:
        """Answers with an error, and shows that of a cell where its output goes."""
        if request.message.kind == "execute_request":
            self._emit_error(request, content)
        self._reply(request, content)

    def _failure(self, request: Request, error: Exception) -> Content:
        """The answer to a request that could not be served; a bug of ours is logged as one."""
        if not isinstance(error, RLMKernelError):
            log.exception("failed to serve %s", request.message.kind[:SHOWN_KIND])
        return error_content(type(error).__name__, str(error))

    def _reply(
        self, request: Request, content: Content, metadata: Mapping[str, Any] | None = None
    ) -> None:
        """Sends the reply, if messages of the request's type are answered at all."""
        kind = request.message.kind
        if kind.endswith("_request"):
            reply_kind = kind.removesuffix("request") + "reply"
            message = self._mint.message(reply_kind, content, request.header, metadata=metadata)
            request.client.send(request.channel, message)
