"""A Jupyter client as the kernel sees it, whichever WebSocket it is reached by just now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from rlm_kernel.kernel import Channel, Message
from rlm_kernel.kernel.packed_message import PackedMessage
from rlm_kernel.manager.session import ManagedSession

ABSENCE_SECONDS = 600.0
KEPT_BYTES = 10 << 20
"""For how long, and how much of, what a client misses is kept for it."""

REPLAYED = frozenset(
    {
        "execute_input",
        "stream",
        "display_data",
        "update_display_data",
        "execute_result",
        "error",
        "clear_output",
    }
)
"""What shows what has happened. A status of long ago, a comm that is opened once more or a goodbye
would make the client do something."""


class Socket(Protocol):
    """The WebSocket that a peer is reached by."""

    def deliver(self, channel: Channel, message: Message) -> None:
        """Must not raise, nor block."""

    def close(self, code: int, reason: str) -> None: ...


class Peer:
    """Sink and client of a session's kernel.

    A client that loses its socket and comes back on another, under the same id, gets what it has
    missed, its replies too. One that stays away for too long, misses too much, or takes its leave
    is forgotten; `on_end` is called then.
    """

    def __init__(self, session: ManagedSession, on_end: Callable[[], None]) -> None:
        self._session = session
        self._on_end = on_end
        self._socket: Socket | None = None
        self._missed: list[tuple[Channel, PackedMessage]] = []
        self._missed_bytes = 0
        self._patience: asyncio.TimerHandle | None = None
        self._ended = False
        session.kernel.attach(self)

    @property
    def is_away(self) -> bool:
        return self._socket is None

    def replay(self, client_id: str) -> list[Message]:
        """What was published before, marked as such, but for what this client has caused."""
        return [
            replace(message, metadata={**message.metadata, "replayed": True})
            for message in self._session.kernel.replay.messages
            if message.kind in REPLAYED and message.parent_header.get("session") != client_id
        ]

    def arrive(self, socket: Socket) -> None:
        """Is reached by `socket` from now on, which gets what was missed first."""
        if self._patience is not None:
            self._patience.cancel()
        if self._socket is not None:
            self._session.part(self)
            self._socket.close(*REPLACED)
        self._socket = socket
        self._session.welcome(self)
        missed, self._missed, self._missed_bytes = self._missed, [], 0
        for channel, message in missed:
            socket.deliver(channel, message.unpacked())

    def lose(self) -> None:
        """The socket is gone, and the client may come back."""
        self._socket = None
        self._session.part(self)
        loop = asyncio.get_running_loop()
        self._patience = loop.call_later(ABSENCE_SECONDS, self.leave)

    def leave(self) -> None:
        """The client will not come back. Idempotent."""
        if self._ended:
            return
        self._ended = True
        self._socket = None
        self._missed.clear()
        if self._patience is not None:
            self._patience.cancel()
        self._session.part(self)
        self._session.kernel.detach(self)
        self._session.kernel.dismiss(self)
        self._on_end()

    def publish(self, message: Message) -> None:
        self._take("iopub", message)
        if self.is_away and message.kind == "shutdown_reply":
            self.leave()

    def drain(self) -> None:
        """What has arrived was handed over when it did."""

    def send(self, channel: Channel, message: Message) -> bool:
        self._take(channel, message)
        return not self._ended

    def session_ended(self) -> None:
        socket = self._socket
        self.leave()
        if socket is not None:
            socket.close(*SESSION_OVER)

    def _take(self, channel: Channel, message: Message) -> None:
        if self._socket is not None:
            self._socket.deliver(channel, message)
        elif not self._ended:
            self._keep(channel, message)

    def _keep(self, channel: Channel, message: Message) -> None:
        try:
            packed = PackedMessage.of(message)
        except (ValueError, RecursionError):  # a guest's, which no socket would take either
            return
        self._missed.append((channel, packed))
        self._missed_bytes += packed.size
        if self._missed_bytes > KEPT_BYTES:
            self.leave()


SESSION_OVER = 1001, "the session is over"
"""Close codes and their reasons; 1001 is "going away", 1013 "try again later" (RFC 6455's registry
at IANA)."""
TOO_SLOW = 1013, "too much waits for this client"
REPLACED = 1001, "this client has connected anew"
