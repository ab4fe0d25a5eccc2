"""The WebSocket of one Jupyter client: a peer of its session's kernel, with no ZMQ between."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import cast

from jupyter_server.services.kernels.connection.base import BaseKernelWebsocketConnection
from tornado.websocket import WebSocketClosedError

from rlm_kernel.http.visitor import Visitor
from rlm_kernel.kernel import Channel, Message
from rlm_kernel.manager.jupyter.framing import V1, Frame, decode, encode
from rlm_kernel.manager.jupyter.identity import visitor_of
from rlm_kernel.manager.jupyter.kernels import SessionKernel, SessionKernels
from rlm_kernel.manager.jupyter.peer import TOO_SLOW, Peer
from rlm_kernel.manager.session import ManagedSession

WAITING_BYTES = 64 << 20
"""What may wait for a client that reads too slowly, beside the one message that is on its way."""

_log = logging.getLogger(__name__)


class SessionConnection(BaseKernelWebsocketConnection):
    """The socket of a peer.

    A client that is new gets what was published before it came, unless it says `?replay=0`. A frame
    that holds no message is dropped. A client for which too much waits is hung up on.
    """

    _peer: Peer | None = None
    _waiting = 0
    _complained = False

    async def connect(self) -> None:
        self.websocket_handler.set_nodelay(True)
        peers = cast(SessionKernels, self.multi_kernel_manager).peers
        peer = peers.find(self._session, self.session_id)
        if peer is None:
            peer = peers.make(self._session, self.session_id)
            self._replay(peer)
        self._peer = peer
        peer.arrive(self)

    def disconnect(self) -> None:  # type: ignore[override]  # as the handler calls it
        """Who has not closed the WebSocket but lost it may come back."""
        peer, self._peer = self._peer, None
        if peer is None:
            return
        if self.websocket_handler.close_code is not None:
            peer.leave()
        else:
            peer.lose()
            cast(SessionKernels, self.multi_kernel_manager).peers.limit_away(self._session)

    def handle_incoming_message(self, incoming_msg: Frame) -> None:
        if self._peer is None:
            return
        try:
            channel, message = decode(incoming_msg, v1=self._v1)
        except ValueError as error:
            self._complain(error)
        else:
            signed = signed_by(self._visitor.role, message)
            may_end = self._visitor.is_owner
            self._session.kernel.handle(channel, signed, self._peer, may_end=may_end)

    def deliver(self, channel: Channel, message: Message) -> None:
        frame = encode(message, channel, v1=self._v1)
        if self._waiting and self._waiting + len(frame) > WAITING_BYTES:
            _log.warning("hung up on a WebSocket that reads too slowly")
            self._part_with(TOO_SLOW)
        else:
            self._write(frame)

    def close(self, code: int, reason: str) -> None:
        self._peer = None
        self.websocket_handler.close(code, reason)

    @property
    def _session(self) -> ManagedSession:
        return cast(SessionKernel, self.kernel_manager).managed

    @property
    def _visitor(self) -> Visitor:
        return visitor_of(self.websocket_handler)

    @property
    def _v1(self) -> bool:
        return bool(self.websocket_handler.selected_subprotocol == V1)

    def _replay(self, peer: Peer) -> None:
        if self.websocket_handler.get_query_argument("replay", "1") == "0":
            return
        for message in peer.replay(self.session_id):
            # However much it is, it does not become more while the client reads it.
            self._write(encode(message, "iopub", v1=self._v1), counted=False)

    def _write(self, frame: Frame, *, counted: bool = True) -> None:
        try:
            written = self.websocket_handler.write_message(frame, isinstance(frame, bytes))
        except WebSocketClosedError:  # of which `disconnect` will be told
            return
        size = len(frame) if counted else 0
        self._waiting += size
        written.add_done_callback(lambda done: self._written(done, size))

    def _written(self, done: asyncio.Future[None], size: int) -> None:
        self._waiting -= size
        if not done.cancelled():
            done.exception()  # it is gone, which `disconnect` will be told of

    def _part_with(self, closing: tuple[int, str]) -> None:
        peer = self._peer
        self.close(*closing)
        if peer is not None:
            peer.leave()

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
