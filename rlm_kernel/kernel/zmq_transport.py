"""A kernel on five ZMQ sockets, as Jupyter clients expect it."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast, get_args

import zmq

from rlm_kernel.errors import ConfigurationError
from rlm_kernel.kernel.connection import ConnectionInfo, Port
from rlm_kernel.kernel.deaf_clients import DeafClients
from rlm_kernel.kernel.kernel import Kernel
from rlm_kernel.kernel.loop_socket import LoopSocket
from rlm_kernel.kernel.message import Channel, Message
from rlm_kernel.kernel.signed_frames import SignedFrames

MAX_SOCKETS = 1 << 14
"""Sockets of one context. ZMQ's default is enough for 200 kernels."""

LINGER_MS = 1000
"""How long what was sent before a close may still take to reach a client."""

QUEUED_MESSAGES = 100_000
"""Messages kept for a client that is behind; at ZMQ's 1000 a burst of output loses some. There is
a limit of bytes too: see `DeafClients`."""

PORTS: tuple[Port, ...] = get_args(Port)

log = logging.getLogger(__name__)
_context_lock = threading.Lock()
_contexts: dict[int, zmq.Context[zmq.Socket[bytes]]] = {}


def shared_context() -> zmq.Context[zmq.Socket[bytes]]:
    """The one context of this process."""
    with _context_lock:
        context = _contexts.get(os.getpid())
        if context is None or context.closed:
            context = zmq.Context()
            context.set(zmq.MAX_SOCKETS, MAX_SOCKETS)
            _contexts.clear()
            _contexts[os.getpid()] = context
        return context


class ZMQTransport:
    """Serves a kernel on loopback ports.

    Nothing is bound before `connection_info` is first asked for. All of it belongs to the loop of
    the kernel. What is published goes out at the end of the loop's turn, or before what is sent to
    one peer next: a session has its request first. `subscribers` is how many are told what is
    published; without `may_end` none of them can shut the kernel down, as `Kernel.handle` has it.
    `close` leaves no socket behind.
    """

    def __init__(
        self, kernel: Kernel, connection: ConnectionInfo | None = None, *, may_end: bool = True
    ) -> None:
        self._kernel = kernel
        self._may_end = may_end
        self._connection = connection or ConnectionInfo()
        connected = self._connection
        self._wire = SignedFrames(connected.key.encode(), connected.signature_scheme)
        self._sockets: dict[str, LoopSocket] = {}
        self._unpublished: list[Message] = []
        self._complained = False
        self._deaf: DeafClients | None = None
        self._topic = f"kernel.{kernel.kernel_id}."
        self.subscribers = 0
        self.left_at = datetime.now(UTC)

    def connection_info(self) -> dict[str, Any]:
        """What a connection file holds; binds the ports when that has not been done."""
        if not self._sockets:
            self._kernel.context.copy().run(self._bind)
        return self._connection.as_dict()

    def close(self) -> None:
        """Idempotent."""
        self._kernel.detach(self)
        self._flush()
        for socket in self._sockets.values():
            socket.close()

    def publish(self, message: Message) -> None:
        if not self._unpublished:
            asyncio.get_running_loop().call_soon(self._flush)
        self._unpublished.append(message)

    def drain(self) -> None:
        self._sockets["shell"].drain()

    def send(self, channel: Channel, message: Message, identities: Sequence[bytes]) -> bool:
        """Sends a message to one peer; False when it is not connected to the channel."""
        self._flush()
        return self._sockets[channel].send(self._wire.encode(message, identities))

    def _flush(self) -> None:
        """Sends what was published."""
        unpublished, self._unpublished = self._unpublished, []
        for message in unpublished:
            try:
                self._send_to_all(message)
            except Exception:
                self._complain(message)

    def _complain(self, message: Message) -> None:
        """Says it once: a guest may write any number of messages that cannot be packed."""
        level = logging.DEBUG if self._complained else logging.ERROR
        self._complained = True
        log.log(level, "a message of type %s could not be published", message.kind, exc_info=True)

    def _send_to_all(self, message: Message) -> None:
        topic = f"{self._topic}{message.kind}".encode()
        frames = self._wire.encode(message, [topic])
        self._sockets["iopub"].send(frames)
        if self._deaf is not None:
            self._deaf.note(frames)

    def _bind(self) -> None:
        self._open("hb", zmq.ROUTER, self._echo)
        self._open("iopub", zmq.XPUB, self._welcome)
        for channel in ("shell", "control", "stdin"):
            self._open(channel, zmq.ROUTER, partial(self._receive, channel))
        if self._connection.transport == "tcp":
            self._deaf = DeafClients(self._connection.iopub_port)
        self._kernel.record_ports({port: getattr(self._connection, port) for port in PORTS})
        self._kernel.attach(self)

    def _open(self, name: str, kind: int, on_frames: Callable[[list[bytes]], None]) -> None:
        """Binds one socket and notes the port that it got."""
        port = cast(Port, f"{name}_port")
        socket = shared_context().socket(kind)
        self._configure(socket, name)
        try:
            socket.bind(self._connection.endpoint(port))
        except zmq.ZMQError as error:
            socket.close()
            self.close()
            raise ConfigurationError(
                f"cannot listen on {self._connection.endpoint(port)}: {error}"
            ) from error
        if self._connection.transport == "tcp":
            bound = socket.getsockopt_string(zmq.LAST_ENDPOINT)
            number = int(bound.rpartition(":")[2])
            self._connection = self._connection.model_copy(update={port: number})
        self._sockets[name] = LoopSocket(socket, on_frames)

    def _configure(self, socket: zmq.Socket[bytes], name: str) -> None:
        socket.linger = LINGER_MS
        socket.set_hwm(QUEUED_MESSAGES)
        if name == "iopub":
            socket.setsockopt(zmq.XPUB_VERBOSER, 1)
        else:
            socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
        if name == "stdin":
            socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        if self._connection.curve_secretkey and self._connection.curve_publickey:
            socket.curve_secretkey = self._connection.curve_secretkey.encode()
            socket.curve_publickey = self._connection.curve_publickey.encode()
            socket.curve_server = True

    def _receive(self, channel: Channel, frames: list[bytes]) -> None:
        try:
            identities, message = self._wire.decode(frames)
        except Exception as error:
            log.warning("dropped a malformed message on %s: %s", channel, error)
            return
        client = ZMQClient(self, identities)
        self._kernel.handle(channel, message, client, may_end=self._may_end)

    def _echo(self, frames: list[bytes]) -> None:
        self._sockets["hb"].send(frames)

    def _welcome(self, frames: list[bytes]) -> None:
        """Tells a new subscriber that it is subscribed (JEP 65)."""
        frame = frames[0]
        if frame[:1] != b"\x01":
            self.subscribers -= frame[:1] == b"\x00"
            self.left_at = datetime.now(UTC)
            return
        self.subscribers += 1
        topic = frame[1:]
        content = {"subscription": topic.decode(errors="replace")}
        message = self._kernel.mint.message("iopub_welcome", content)
        self._sockets["iopub"].send(self._wire.encode(message, [topic]))


@dataclass(frozen=True, slots=True)
class ZMQClient:
    """The peer behind one identity; its sockets of all channels carry the same one."""

    transport: ZMQTransport
    identities: tuple[bytes, ...]

    def send(self, channel: Channel, message: Message) -> bool:
        return self.transport.send(channel, message, self.identities)
