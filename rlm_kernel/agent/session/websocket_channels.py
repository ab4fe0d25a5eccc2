"""A kernel's channels over the manager's WebSocket, for those on another machine."""

from __future__ import annotations

import asyncio
import json
import logging
import struct
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from rlm_kernel.agent.cancellation import unbroken
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
    from jupyter_client.session import Session
    from tornado.websocket import WebSocketClientConnection

_CONNECT_SECONDS = 10.0
_READY_SECONDS = 30.0
_GOODBYE_SECONDS = 1.0
_PING_SECONDS = 20.0
"""So often a quiet connection is asked whether its other end still lives."""

_MAX_MESSAGE_BYTES = 256 << 20
"""More than a manager lets one cell display."""

_log = logging.getLogger(__name__)


class WebSocketChannels:
    """`Channels` as Jupyter Server has them: one WebSocket for all; `open` makes them."""

    def __init__(self, socket: WebSocketClientConnection, session: Session) -> None:
        self._socket = socket
        self._session = session
        self._reader: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, url: str, headers: Mapping[str, str]) -> WebSocketChannels:
        """Connect to the kernel whose channels are at `url`. Raises ManagerUnavailable."""
        from jupyter_client.session import Session

        session = Session(username=AUTHOR)
        # It is not for a run what its session published before.
        socket = await _connect(f"{url}?session_id={session.session}&replay=0", headers)
        return cls(socket, session)

    def listen(self, deliver: Deliver, lost: Lost) -> None:
        """See `Channels`."""
        self._reader = asyncio.create_task(self._read(deliver))
        self._reader.add_done_callback(partial(_tell, lost))

    def send(
        self,
        channel: Channel,
        kind: str,
        content: Mapping[str, Any],
        metadata: Mapping[str, Any] | None = None,
    ) -> str:
        """See `Channels`."""
        from tornado.websocket import WebSocketClosedError

        message = self._session.msg(kind, dict(content), metadata=dict(metadata or {}))
        header = {**message["header"], "date": message["header"]["date"].isoformat()}
        frame = json.dumps({**message, "header": header, "channel": channel, "buffers": []})
        try:
            self._socket.write_message(frame).add_done_callback(_seen)
        except WebSocketClosedError:  # of which whoever listens is told
            _log.debug("a message to a kernel came too late")
        return str(message["header"]["msg_id"])

    async def close(self) -> None:
        """See `Channels`."""
        if self._reader is not None:
            await cancelled([self._reader])
        await unbroken(_hang_up(self._socket))

    async def _read(self, deliver: Deliver) -> None:
        while (frame := await self._socket.read_message()) is not None:
            try:
                message = _message(frame)
                channel = message["channel"]
            except (ValueError, KeyError, TypeError, struct.error) as error:
                _log.warning("a message of the kernel was dropped: %s", error)
            else:
                deliver(channel, message)
        raise ConnectionLostError(self._socket.close_reason or "the WebSocket was closed")


async def _connect(url: str, headers: Mapping[str, str]) -> WebSocketClientConnection:
    from tornado.httpclient import HTTPError, HTTPRequest
    from tornado.websocket import WebSocketError, websocket_connect

    request = HTTPRequest(
        url.replace("http", "ws", 1),
        headers=dict(headers),
        connect_timeout=_CONNECT_SECONDS,
        request_timeout=_READY_SECONDS,
    )
    connecting = websocket_connect(
        request, ping_interval=_PING_SECONDS, max_message_size=_MAX_MESSAGE_BYTES
    )
    try:
        return await asyncio.shield(connecting)
    except asyncio.CancelledError:
        await unbroken(_give_up(connecting))
        raise
    except (HTTPError, WebSocketError, OSError, TimeoutError) as error:
        raise ManagerUnavailable(f"the session's kernel cannot be reached: {error}") from error


async def _give_up(connecting: Awaitable[WebSocketClientConnection]) -> None:
    """tornado goes on with what nobody waits for: what comes of it is closed."""
    with suppress(Exception):
        async with asyncio.timeout(_GOODBYE_SECONDS):
            await _hang_up(await connecting)


async def _hang_up(socket: WebSocketClientConnection) -> None:
    """Say goodbye, and wait a moment until the other end has as well."""
    socket.close()
    with suppress(TimeoutError):
        async with asyncio.timeout(_GOODBYE_SECONDS):
            while await socket.read_message() is not None:
                pass


def _message(frame: str | bytes) -> Message:
    """The message of a frame in Jupyter's form without subprotocol; its buffers are left out.

    That is JSON, and where there are buffers, a count and offsets before it ("WebSocket protocols"
    in jupyter_server's documentation).
    """
    if isinstance(frame, bytes):
        count, start = struct.unpack_from("!II", frame)
        end = struct.unpack_from("!I", frame, 8)[0] if count > 1 else len(frame)
        frame = frame[start:end].decode()
    message: Message = json.loads(frame)
    return message


def _tell(lost: Lost, reader: asyncio.Task[None]) -> None:
    if not reader.cancelled():
        lost(reader.exception() or ConnectionLostError())


def _seen(written: asyncio.Future[Any]) -> None:
    """Whether it went out is learnt from the connection itself."""
    if not written.cancelled():
        written.exception()
