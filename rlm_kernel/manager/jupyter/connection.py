"""The WebSocket of one Jupyter client: a peer of its session's kernel, with no ZMQ between."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import cast

from jupyter_server.services.kernels.connection.base import BaseKernelWebsocketConnection
from tornado.websocket import WebSocketClosedError

from rlm_kernel.kernel import Channel, Message
from rlm_kernel.manager.jupyter.framing import V1, Frame, decode, encode
from rlm_kernel.manager.jupyter.identity import visitor_of
from rlm_kernel.manager.jupyter.kernels import SessionKernel
from rlm_kernel.manager.session import ManagedSession
from rlm_kernel.manager.visitor import Visitor

WAITING_BYTES = 64 << 20
"""What may wait for a client that reads too slowly, beside the one message that is on its way."""

TOO_SLOW, SESSION_OVER = 1013, 1001
"""Close codes: "try again later" and "going away" (IANA's registry of RFC 6455)."""

_log = logging.getLogger(__name__)


class SessionConnection(BaseKernelWebsocketConnection):
    """Sink and client of one kernel.

    A frame that holds no message is dropped. A client for which too much waits is hung up on.
    """

    _waiting = 0
    _open = False
    _complained = False

    async def connect(self) -> None:
        self.websocket_handler.set_nodelay(True)
        self._open = True
        self._session.welcome(self)
        self._session.kernel.attach(self)

    def disconnect(self) -> None:  # type: ignore[override]  # as the handler calls it
        if self._open:
            self._open = False
            self._session.kernel.detach(self)
            self._session.part(self)

    def handle_incoming_message(self, incoming_msg: Frame) -> None:
        try:
            channel, message = decode(incoming_msg, v1=self._v1)
        except ValueError as error:
            self._complain(error)
        else:
            signed = signed_by(self._visitor.role, message)
            self._session.kernel.handle(channel, signed, self, may_end=self._visitor.is_owner)

    def publish(self, message: Message) -> None:
        self._write(encode(message, "iopub", v1=self._v1))

    def drain(self) -> None:
        """What has arrived was handed over when it did."""

    def send(self, channel: Channel, message: Message) -> bool:
        if self._open:
            self._write(encode(message, channel, v1=self._v1))
        return self._open

    def session_ended(self) -> None:
        self._hang_up(SESSION_OVER, "the session is over")

    @property
    def _session(self) -> ManagedSession:
        return cast(SessionKernel, self.kernel_manager).managed

    @property
    def _visitor(self) -> Visitor:
        return visitor_of(self.websocket_handler)

    @property
    def _v1(self) -> bool:
        return bool(self.websocket_handler.selected_subprotocol == V1)

    def _write(self, frame: Frame) -> None:
        if not self._open:
            return
        size = len(frame)
        if self._waiting and self._waiting + size > WAITING_BYTES:
            _log.warning("hung up on a WebSocket that reads too slowly")
            self._hang_up(TOO_SLOW, "what waits for this client is too much")
            return
        try:
            written = self.websocket_handler.write_message(frame, isinstance(frame, bytes))
        except WebSocketClosedError:
            self.disconnect()
            return
        self._waiting += size
        written.add_done_callback(lambda done: self._written(done, size))

    def _written(self, done: asyncio.Future[None], size: int) -> None:
        self._waiting -= size
        if not done.cancelled():
            done.exception()  # it is gone, which `on_close` tells too

    def _hang_up(self, code: int, reason: str) -> None:
        self.disconnect()
        self.websocket_handler.close(code, reason)

    def _complain(self, error: ValueError) -> None:
        """Says it once: a client may send any number of them."""
        level = logging.DEBUG if self._complained else logging.WARNING
        self._complained = True
        _log.log(level, "dropped a malformed frame of a WebSocket: %s", error)


def signed_by(name: str, message: Message) -> Message:
    """The message with an author in its header, where its client has named none."""
    if message.header.get("username"):
        return message
    return replace(message, header={**message.header, "username": name})
