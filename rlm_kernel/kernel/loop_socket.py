"""A ZMQ socket served by the running asyncio loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import cast

import zmq

FRAMES_PER_TURN = 64

MORE, LAST = int(zmq.NOBLOCK | zmq.SNDMORE), int(zmq.NOBLOCK)
READABLE = int(zmq.POLLIN)
"""Flags as plain numbers: to combine the enumerations takes longer than to send a frame."""

log = logging.getLogger(__name__)


class LoopSocket:
    """Calls `on_frames` with every multipart message that arrives; sends without ever blocking.

    The descriptor of a ZMQ socket only tells that something has changed, so after each change and
    each send the socket itself is asked whether there is anything to read (zmq_getsockopt(3),
    ZMQ_FD). One turn of the loop reads a bounded number of messages.
    """

    def __init__(self, socket: zmq.Socket[bytes], on_frames: Callable[[list[bytes]], None]) -> None:
        self._socket = socket
        self._on_frames = on_frames
        self._loop = asyncio.get_running_loop()
        self._descriptor = int(socket.FD)
        self._loop.add_reader(self._descriptor, self._read)
        self._loop.call_soon(self._read)

    @property
    def closed(self) -> bool:
        return bool(self._socket.closed)

    def send(self, frames: Sequence[bytes]) -> bool:
        """Whether the message was taken. It is not where the peer is known to be gone."""
        if self.closed:
            return False
        try:
            for frame in frames[:-1]:
                self._socket.send(frame, MORE)
            self._socket.send(frames[-1], LAST)
        except zmq.ZMQError as error:
            log.debug("a message could not be sent: %s", error)
            return False
        if self._is_readable():
            self._loop.call_soon(self._read)
        return True

    def drain(self) -> None:
        """Reads everything that has already arrived."""
        while self._read_one():
            continue

    def close(self) -> None:
        """Leaves the loop and closes the socket. Idempotent."""
        if self.closed:
            return
        self._loop.remove_reader(self._descriptor)
        self._socket.close()

    def _read(self) -> None:
        for _ in range(FRAMES_PER_TURN):
            if not self._read_one():
                return
        self._loop.call_soon(self._read)

    def _read_one(self) -> bool:
        if self.closed or not self._is_readable():
            return False
        try:
            frames = self._socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:  # its sender has just gone
            return False
        try:
            self._on_frames(frames)
        except Exception:  # else what has arrived after it would wait for the next change
            log.exception("a message could not be handled")
        return True

    def _is_readable(self) -> bool:
        return bool(cast(int, self._socket.getsockopt(zmq.EVENTS)) & READABLE)
