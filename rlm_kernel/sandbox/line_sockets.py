"""The sockets between a session's process and its owner, made by the owner."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

CONTROL_BYTES = 1 << 16
"""The longest packet between a zygote and its owner."""

LINE_SOCKETS = 3


@dataclass(frozen=True, slots=True)
class LineSockets:
    """`frames` is a stream both ways; `control` takes packets of the owner at any time.

    Nothing is said over `lifeline`: its end is the owner's.
    """

    frames: socket.socket
    control: socket.socket
    lifeline: socket.socket

    def close(self) -> None:
        for each in (self.frames, self.control, self.lifeline):
            each.close()

    def tie(self, pid: int) -> None:
        """Has the system kill a process when the owner's end of this lifeline closes.

        It does so whatever the process is doing, and also where it is stopped. Called by the owner
        with the ends of the process. Where the system cannot, the process still notices, unless it
        is stopped.
        """
        lifeline = self.lifeline.fileno()
        with contextlib.suppress(OSError):
            fcntl.fcntl(lifeline, fcntl.F_SETOWN, pid)
            fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
            flags = fcntl.fcntl(lifeline, fcntl.F_GETFL)
            fcntl.fcntl(lifeline, fcntl.F_SETFL, flags | os.O_ASYNC)


@contextmanager
def line_sockets() -> Iterator[tuple[LineSockets, LineSockets]]:
    """The owner's sockets and their other ends, which close at the end of the block.

    The owner's close too where the block raises.
    """
    with ExitStack() as both, ExitStack() as owners:
        pairs: list[tuple[socket.socket, socket.socket]] = []
        for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_STREAM):
            ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
            owners.enter_context(ours)
            both.enter_context(theirs)
            pairs.append((ours, theirs))
        yield LineSockets(*(pair[0] for pair in pairs)), LineSockets(*(pair[1] for pair in pairs))
        owners.pop_all()


def descriptors(sockets: LineSockets) -> list[int]:
    """As they are passed to the process."""
    return [sockets.frames.fileno(), sockets.control.fileno(), sockets.lifeline.fileno()]


def taken_over(passed: list[int]) -> LineSockets:
    """What `descriptors` were, in the process that they were passed to."""
    return LineSockets(*(socket.socket(fileno=descriptor) for descriptor in passed))
