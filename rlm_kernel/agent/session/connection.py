"""One session's kernel, spoken to over its Jupyter channels."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rlm_kernel.agent.session.channels import Channel, Channels, Message, cancelled

OnMessage = Callable[[str, Message], None]
OnInput = Callable[[Message], Awaitable[str]]

_IDLE_SECONDS = 10.0
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Execution:
    request_id: str
    on_message: OnMessage
    on_input: OnInput
    reply: asyncio.Future[Message]
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    answering: set[asyncio.Task[None]] = field(default_factory=set)


class KernelConnection:
    """A client of a kernel that runs one cell at a time; close it when done.

    `open` and `open_from_afar` make one. What other clients of the same kernel do is not seen here.
    """

    def __init__(self, channels: Channels) -> None:
        self._channels = channels
        self._current: _Execution | None = None
        self._lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        channels.listen(self._take, self._note_loss)

    @classmethod
    async def open(cls, info: Mapping[str, Any]) -> KernelConnection:
        """Connect to the ports of a kernel, as a connection file has them.

        Raises ManagerUnavailable when it is silent.
        """
        from rlm_kernel.agent.session.zmq_channels import ZMQChannels

        return cls(await ZMQChannels.open(info))

    @classmethod
    async def open_from_afar(cls, url: str, headers: Mapping[str, str]) -> KernelConnection:
        """Connect to a kernel through the WebSocket of its manager. Raises ManagerUnavailable."""
        from rlm_kernel.agent.session.websocket_channels import WebSocketChannels

        return cls(await WebSocketChannels.open(url, headers))

    async def execute(
        self,
        code: str,
        *,
        on_message: OnMessage,
        on_input: OnInput,
        timeout_s: float | None = None,
        store_history: bool = True,
        expressions: Mapping[str, str] | None = None,
    ) -> Message:
        """Run a cell and return the whole execute_reply.

        `on_message` gets the type and content of each output. `on_input` answers each
        input_request's content while the cell waits; it is cancelled when the cell ends first.
        The kernel itself keeps `timeout_s`. A cancellation interrupts the cell. Raises
        ConnectionLostError.
        """
        content = {
            "code": code,
            "silent": False,
            "store_history": store_history,
            "user_expressions": dict(expressions or {}),
            "allow_stdin": True,
            "stop_on_error": False,
        }
        reply: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        metadata = {"timeout": timeout_s} if timeout_s else {}
        request_id = self._channels.send("shell", "execute_request", content, metadata)
        self._current = current = _Execution(request_id, on_message, on_input, reply)
        try:
            await self._unless_lost(reply)
            await self._all_output(current)
            return reply.result()
        except asyncio.CancelledError:
            self.interrupt()
            raise
        finally:
            self._current = None
            await cancelled(current.answering)

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt in the cell that runs. Disconnected, there is nobody to tell."""
        if not self._lost.done():
            self._channels.send("control", "interrupt_request", {})

    async def close(self) -> None:
        """Disconnect; the kernel lives on. Idempotent."""
        await self._channels.close()
        self._lost.cancel()
        if not self._lost.cancelled():
            self._lost.exception()  # told to whoever waited, if anyone did

    def _take(self, channel: Channel, message: Message) -> None:
        match channel:
            case "shell":
                self._on_shell(message)
            case "iopub":
                self._on_iopub(message)
            case "stdin":
                self._on_stdin(message)

    def _note_loss(self, error: BaseException) -> None:
        """Whoever waits gets the error."""
        if not self._lost.done():
            self._lost.set_exception(error)

    def _execution_of(self, message: Message) -> _Execution | None:
        parent = message["parent_header"].get("msg_id")
        return self._current if self._current and self._current.request_id == parent else None

    def _on_shell(self, message: Message) -> None:
        execution = self._execution_of(message)
        if execution and message["msg_type"] == "execute_reply" and not execution.reply.done():
            execution.reply.set_result(message)

    def _on_iopub(self, message: Message) -> None:
        execution = self._execution_of(message)
        if execution is None:
            return
        if message["msg_type"] != "status":
            execution.on_message(message["msg_type"], message["content"])
        elif message["content"]["execution_state"] == "idle":
            execution.idle.set()

    def _on_stdin(self, message: Message) -> None:
        execution = self._execution_of(message)
        if execution is not None and message["msg_type"] == "input_request":
            task = asyncio.create_task(self._answer(execution, message))
            execution.answering.add(task)
            task.add_done_callback(execution.answering.discard)

    async def _answer(self, execution: _Execution, request: Message) -> None:
        try:
            value = await execution.on_input(request["content"])
        except Exception as error:  # a fault of ours: the cell must not wait for ever
            _log.exception("a request of the session could not be answered")
            fault = {"ename": type(error).__name__, "evalue": str(error)}
            value = json.dumps({"error": fault})
        self._channels.send("stdin", "input_reply", {"value": value})

    async def _unless_lost(self, wanted: Awaitable[object]) -> None:
        future: asyncio.Future[Any] = asyncio.ensure_future(wanted)
        try:
            await asyncio.wait({future, self._lost}, return_when=asyncio.FIRST_COMPLETED)
            if not future.done():
                self._lost.result()
        finally:
            future.cancel()

    async def _all_output(self, execution: _Execution) -> None:
        """Output comes by another socket than the reply, and ends with the kernel being idle."""
        try:
            async with asyncio.timeout(_IDLE_SECONDS):
                await self._unless_lost(execution.idle.wait())
        except TimeoutError:
            _log.warning("the kernel did not say that the cell's output is complete")
