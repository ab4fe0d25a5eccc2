"""A kernel's channels over its own ZMQ ports, for those on the same machine."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, cast

from rlm_kernel.agent.session.channels import (
    AUTHOR,
    Channel,
    ConnectionLostError,
    Deliver,
    Lost,
    Message,
    cancelled,
)
from rlm_kernel.errors import ManagerUnavailable

if TYPE_CHECKING:
    from jupyter_client.asynchronous.client import AsyncKernelClient
    from jupyter_client.connect import KernelConnectionInfo

_READY_SECONDS = 30.0
_log = logging.getLogger(__name__)


class ZMQChannels:
    """`Channels` of jupyter_client's; `open` makes them."""

    def __init__(self, client: AsyncKernelClient) -> None:
        self._client = client
        self._deliver: Deliver | None = None
        self._welcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lost: Lost = self._fail
        self._readers: list[asyncio.Task[None]] = []

    @classmethod
    async def open(cls, info: Mapping[str, Any]) -> ZMQChannels:
        """Connect to the kernel of a connection file's content.

        Returns when its output is subscribed to. Raises ManagerUnavailable when it is silent.
        """
        from jupyter_client.asynchronous.client import AsyncKernelClient

        client = AsyncKernelClient()
        client.session.username = AUTHOR
        client.load_connection_info(cast("KernelConnectionInfo", dict(info)))
        channels = cls(client)
        try:
            client.start_channels(hb=False)
            channels._read()
            async with asyncio.timeout(_READY_SECONDS):
                await channels._welcome
        except (TimeoutError, ConnectionLostError) as error:
            await channels.close()
            raise ManagerUnavailable("the session's kernel does not answer") from error
        except BaseException:
            await channels.close()
            raise
        return channels

    def listen(self, deliver: Deliver, lost: Lost) -> None:
        """See `Channels`."""
        self._deliver, self._lost = deliver, lost
        for reader in self._readers:
            if reader.done():  # between the opening and now
                self._on_reader_end(reader)

    def send(
        self,
        channel: Channel,
        kind: str,
        content: Mapping[str, Any],
        metadata: Mapping[str, Any] | None = None,
    ) -> str:
        """See `Channels`."""
        message = self._client.session.msg(kind, dict(content), metadata=dict(metadata or {}))
        getattr(self._client, f"{channel}_channel").send(message)
        return str(message["header"]["msg_id"])

    async def close(self) -> None:
        """See `Channels`."""
        self._lost = _ignore
        await cancelled(self._readers)
        self._client.stop_channels()

    def _read(self) -> None:
        client = self._client
        monitor = client.shell_channel.socket.get_monitor_socket(_disconnected())
        for reading in (
            self._each("shell", client.get_shell_msg),
            self._each("iopub", client.get_iopub_msg),
            self._each("stdin", client.get_stdin_msg),
            self._each("control", client.get_control_msg),
            self._watch(monitor),
        ):
            reader = asyncio.create_task(reading)
            reader.add_done_callback(self._on_reader_end)
            self._readers.append(reader)

    async def _each(
        self, channel: Channel, receive: Callable[[], Coroutine[Any, Any, Message]]
    ) -> None:
        while True:
            try:
                message = await receive()
            except ValueError as error:  # a message whose signature or form is wrong
                _log.warning("a message of the kernel was dropped: %s", error)
            else:
                self._take(channel, message)

    def _take(self, channel: Channel, message: Message) -> None:
        if message["msg_type"] == "iopub_welcome" and not self._welcome.done():
            self._welcome.set_result(None)
        elif self._deliver is not None:
            self._deliver(channel, message)

    async def _watch(self, monitor: Any) -> None:
        try:
            await monitor.recv_multipart()
            raise ConnectionLostError
        finally:
            if self._client.shell_channel.socket is not None:
                self._client.shell_channel.socket.disable_monitor()

    def _on_reader_end(self, reader: asyncio.Task[None]) -> None:
        """Without its readers the connection is of no use."""
        if not reader.cancelled():
            self._lost(reader.exception() or ConnectionLostError())

    def _fail(self, error: BaseException) -> None:
        """Before anybody listens it is the opening that is told."""
        if not self._welcome.done():
            self._welcome.set_exception(error)


def _ignore(error: BaseException) -> None:
    """Nobody is connected any more."""


def _disconnected() -> int:
    import zmq

    return int(zmq.EVENT_DISCONNECTED)
