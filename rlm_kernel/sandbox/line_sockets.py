"""The sockets between a session's process and its owner, made by the owner."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

CONTROL_BYTES = 1 << 16
"""The longest packet between a zygote and its owner."""


@dataclass(frozen=True, slots=True)
class LineSockets:
    """`frames` is a stream both ways; `control` takes packets of the owner at any time."""

    frames: socket.socket
    control: socket.socket

    def close(self) -> None:
        self.frames.close()
        self.control.close()


@contextmanager
def line_sockets() -> Iterator[tuple[LineSockets, LineSockets]]:
    """The owner's sockets and their other ends, which close at the end of the block.

    The owner's close too where the block raises.
    """
    with ExitStack() as both, ExitStack() as owners:
        frames, their_frames = socket.socketpair()
        owners.enter_context(frames)
        both.enter_context(their_frames)
        control, their_control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        owners.enter_context(control)
        both.enter_context(their_control)
        yield LineSockets(frames, control), LineSockets(their_frames, their_control)
        owners.pop_all()


def descriptors(sockets: LineSockets) -> list[int]:
    """As they are passed to the process."""
    return [sockets.frames.fileno(), sockets.control.fileno()]
