"""One session's kernel, spoken to over its Jupyter channels with jupyter_client."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from rlm_kernel.errors import ManagerUnavailable

if TYPE_CHECKING:
    from jupyter_client.asynchronous.client import AsyncKernelClient
    from jupyter_client.connect import KernelConnectionInfo

Message = dict[str, Any]
OnMessage = Callable[[str, Message], None]
OnInput = Callable[[Message], Awaitable[str]]

_READY_SECONDS = 30.0
_IDLE_SECONDS = 10.0
_log = logging.getLogger(__name__)


class ConnectionLostError(Exception):
    """The kernel's sockets are gone: its session ended, or the manager did."""


@dataclass(slots=True)
class _Execution:
    request_id: str
    on_message: OnMessage
    on_input: OnInput
    reply: asyncio.Future[Message]
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    answering: set[asyncio.Task[None]] = field(default_factory=set)


AUTHOR = "agent"
"""By which those who watch the session see whose cells they are."""


class KernelConnection:
    """A client of a kernel that runs one cell at a time; close it when done.

    `open` makes one. What other clients of the same kernel do is not seen here.
    """

    def __init__(self, client: AsyncKernelClient) -> None:
        self._client = client
        self._current: _Execution | None = None
        self._welcome = asyncio.Event()
        self._lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._readers: list[asyncio.Task[None]] = []

    @classmethod
    async def open(cls, info: Mapping[str, Any]) -> KernelConnection:
        """Connect to the kernel of a connection file's content.

        Returns when its output is subscribed to. Raises ManagerUnavailable when it is silent.
        """
        from jupyter_client.asynchronous.client import AsyncKernelClient

        client = AsyncKernelClient()
        client.session.username = AUTHOR
        client.load_connection_info(cast("KernelConnectionInfo", dict(info)))
        connection = cls(client)
        try:
            client.start_channels(hb=False)
            connection._read()
            async with asyncio.timeout(_READY_SECONDS):
                await connection._unless_lost(connection._welcome.wait())
        except (TimeoutError, ConnectionLostError) as error:
            await connection.close()
            raise ManagerUnavailable("the session's kernel does not answer") from error
        except BaseException:
            await connection.close()
            raise
        return connection

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
        request = self._client.session.msg(
            "execute_request", content, metadata={"timeout": timeout_s} if timeout_s else {}
        )
        reply: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        current = _Execution(request["header"]["msg_id"], on_message, on_input, reply)
        self._current = current
        try:
            self._client.shell_channel.send(request)
            await self._unless_lost(reply)
            await self._all_output(current)
            return reply.result()
        except asyncio.CancelledError:
            self.interrupt()
            raise
        finally:
            self._current = None
            await _cancel(current.answering)

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt in the cell that runs."""
        self._client.control_channel.send(self._client.session.msg("interrupt_request", {}))

    async def close(self) -> None:
        """Disconnect; the kernel lives on. Idempotent."""
        await _cancel(self._readers)
        self._readers.clear()
        if not self._lost.cancel():
            self._lost.exception()  # told to whoever waited, if anyone did
        self._client.stop_channels()

    def _read(self) -> None:
        client = self._client
        monitor = client.shell_channel.socket.get_monitor_socket(_disconnected())
        for reading in (
            self._each(client.get_shell_msg, self._on_shell),
            self._each(client.get_iopub_msg, self._on_iopub),
            self._each(client.get_stdin_msg, self._on_stdin),
            self._each(client.get_control_msg, lambda message: None),
            self._watch(monitor),
        ):
            reader = asyncio.create_task(reading)
            reader.add_done_callback(self._on_reader_end)
            self._readers.append(reader)

    async def _each(
        self,
        receive: Callable[[], Coroutine[Any, Any, Message]],
        handle: Callable[[Message], None],
    ) -> None:
        while True:
            try:
                handle(await receive())
            except ValueError as error:  # a message whose signature or form is wrong
                _log.warning("a message of the kernel was dropped: %s", error)

    async def _watch(self, monitor: Any) -> None:
        try:
            await monitor.recv_multipart()
            raise ConnectionLostError
        finally:
            if self._client.shell_channel.socket is not None:
                self._client.shell_channel.socket.disable_monitor()

    def _on_reader_end(self, reader: asyncio.Task[None]) -> None:
        """Without its readers the connection is of no use: whoever waits gets their error."""
        if not reader.cancelled() and not self._lost.done():
            self._lost.set_exception(reader.exception() or ConnectionLostError())

    def _execution_of(self, message: Message) -> _Execution | None:
        parent = message["parent_header"].get("msg_id")
        return self._current if self._current and self._current.request_id == parent else None

    def _on_shell(self, message: Message) -> None:
        execution = self._execution_of(message)
        if execution and message["msg_type"] == "execute_reply" and not execution.reply.done():
            execution.reply.set_result(message)

    def _on_iopub(self, message: Message) -> None:
        if message["msg_type"] == "iopub_welcome":
            self._welcome.set()
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
        self._client.input(value)

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


def _disconnected() -> int:
    import zmq

    return int(zmq.EVENT_DISCONNECTED)


async def _cancel(tasks: set[asyncio.Task[None]] | list[asyncio.Task[None]]) -> None:
    for task in list(tasks):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
