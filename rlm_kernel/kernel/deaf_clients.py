"""Clients that do not read what is published: what waits for them is bounded in bytes.

ZMQ counts the messages that wait for a client, and tells nobody of whom or how much. But it sends
them over TCP sockets of this process, and Linux knows how much of it each peer has taken.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from struct import Struct

WAITING_BYTES = 64 << 20

BYTES_ACKED, NOTSENT_BYTES = Struct("@120xQ"), Struct("@144xI")
"""Where they are in `struct tcp_info` (Linux 4.6, include/uapi/linux/tcp.h)."""

log = logging.getLogger(__name__)

Peer = tuple[object, ...]


class DeafClients:
    """Hangs up on each client of a TCP port for which more than `limit` bytes wait.

    Nobody else notices. When the client reads again, it gets what had been sent by then, and finds
    that the connection is lost; ZMQ makes it anew.
    """

    def __init__(self, port: int, limit: int = WAITING_BYTES) -> None:
        self._port = port
        self._limit = limit
        self._sent = self._looked_at = 0
        self._beginnings: dict[Peer, int] = {}

    def note(self, frames: Sequence[bytes]) -> None:
        """A message of these frames has been sent to all clients."""
        self._sent += sum(len(frame) + (2 if len(frame) < 256 else 9) for frame in frames)  # ZMTP
        if self._sent - self._looked_at >= self._limit >> 3:
            self._looked_at = self._sent
            self._look()

    def _look(self) -> None:
        beginnings: dict[Peer, int] = {}
        for connection in connections(self._port):
            with connection, contextlib.suppress(OSError):  # it ends
                peer, (taken, waits) = connection.getpeername(), progress(connection)
                beginning = self._beginnings.get(peer)
                if beginning is None or not waits:
                    beginning = self._sent - taken
                beginnings[peer] = beginning
                if self._sent - beginning - taken > self._limit:
                    log.warning("hung up on a client that reads nothing of what is published")
                    connection.shutdown(socket.SHUT_RDWR)
        self._beginnings = beginnings


def connections(port: int) -> Iterator[socket.socket]:
    """Duplicates of the sockets of this process that are connected to a TCP port of it."""
    sockets = [int(file.name) for file in Path("/proc/self/fd").iterdir() if _is_socket(file)]
    for descriptor in sockets:
        connection = _duplicate(descriptor)
        if connection is not None and _is_connected_to(connection, port):
            yield connection
        elif connection is not None:
            connection.close()


def _is_socket(file: Path) -> bool:
    try:
        return stat.S_ISSOCK(file.stat().st_mode)
    except OSError:  # it is not there any more
        return False


def _duplicate(descriptor: int) -> socket.socket | None:
    """ZMQ's own thread may close the descriptor at any time, and not the duplicate."""
    copy = -1
    try:
        copy = os.dup(descriptor)
        return socket.socket(fileno=copy)
    except OSError:  # it is closed by now, or another file
        if copy >= 0:
            os.close(copy)
        return None


def _is_connected_to(connection: socket.socket, port: int) -> bool:
    if connection.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    try:
        return bool(connection.getsockname()[1] == port and connection.getpeername())
    except OSError:  # it listens
        return False


def progress(connection: socket.socket) -> tuple[int, bool]:
    """How many bytes the peer has taken so far, and whether there are some that cannot be sent."""
    facts = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    if len(facts) < NOTSENT_BYTES.size:  # this system does not tell
        return 0, False
    return BYTES_ACKED.unpack_from(facts)[0], NOTSENT_BYTES.unpack_from(facts)[0] > 0
