"""The session's end of the line to its owner: the device `/dev/owner`."""

from __future__ import annotations

import fcntl
import math
import os
import select
from array import array
from collections import deque
from collections.abc import Callable, Sequence

from rlm_kernel.guest.frames import Frame, FrameDecoder, encoded
from rlm_kernel.guest.interrupts import Interrupts

DEVICE = "/dev/owner"
READ_BYTES = WRITE_BYTES = 1 << 20
"""What the device gives at once, and takes of each of the buffers of one call."""

SIGNAL_IN_MILLISECONDS = 1
"""An ioctl of the device: SIGPROF to the session once, after so many milliseconds."""

MAKE_IMMORTAL = 2
"""An ioctl of the device, until it is connected: the argument points to the number of objects and
their addresses, as u32 each."""


class WaitEnded(BaseException):
    """Ends a wait from within a signal handler; never leaves the link."""


class Link:
    """Sends and receives frames. What arrives while something else is awaited stays in line.

    `before_wait` is called before every wait.
    """

    def __init__(self, interrupts: Interrupts) -> None:
        self._interrupts = interrupts
        self._waiting = self._woken = False
        self._reads = 0
        self._file = os.open(DEVICE, os.O_RDWR)
        self._waiter, self._peeker = select.poll(), select.poll()
        for poll in (self._waiter, self._peeker):  # a signal handler may peek within a wait
            poll.register(self._file, select.POLLIN)
        self._decoder = FrameDecoder()
        self._arrived: deque[Frame] = deque()
        self._interrupted: set[str] = set()
        self.before_wait: Callable[[], None] = lambda: None

    def send(
        self, kind: str, request_id: str, content: bytes, buffers: Sequence[bytes] = ()
    ) -> int:
        """Sends a frame, whose content is JSON, and says how many bytes it took."""
        data = memoryview(encoded(kind, request_id, content, buffers))
        size = len(data)
        # In one call: between two, the handler of a signal might send a frame into this one.
        pieces = [data[start : start + WRITE_BYTES] for start in range(0, size, WRITE_BYTES)]
        with self._interrupts:
            os.writev(self._file, pieces)
        return size

    def wait(self, timeout: float | None) -> None:
        """Waits at most `timeout` seconds for more to arrive; what is in line does not count."""
        self.before_wait()
        milliseconds = None if timeout is None else math.ceil(timeout * 1000)
        reads = self._reads
        if self._ready(milliseconds):
            with self._interrupts:
                if self._reads == reads:  # else a signal handler has read it since
                    self._read()
                self._woken = False

    def end_wait(self) -> None:
        """For signal handlers: ends the wait that is under way, or else the next one."""
        self._woken = True
        if self._waiting:
            raise WaitEnded

    def _ready(self, milliseconds: int | None) -> bool:
        try:
            return self._interrupts.unshielded(lambda: self._poll_unless_woken(milliseconds))
        except WaitEnded:
            return False

    def _poll_unless_woken(self, milliseconds: int | None) -> bool:
        self._waiting = True
        try:
            return not self._woken and bool(self._waiter.poll(milliseconds))
        finally:
            self._waiting = self._woken = False

    def _read(self) -> None:
        with self._interrupts:
            self._reads += 1
            for frame in self._decoder.feed(os.read(self._file, READ_BYTES)):
                if frame.kind == "interrupt":
                    self._interrupted.add(frame.request_id)
                else:
                    self._arrived.append(frame)
                    self._woken = True

    def signal_in(self, milliseconds: int) -> None:
        """Has SIGPROF sent to the session once, in so many milliseconds."""
        fcntl.ioctl(self._file, SIGNAL_IN_MILLISECONDS, milliseconds)

    def make_immortal(self, addresses: list[int]) -> None:
        """Ends the counting of references to the objects at these addresses."""
        fcntl.ioctl(self._file, MAKE_IMMORTAL, array("I", [len(addresses), *addresses]))

    def sleep(self, seconds: float, /) -> None:
        """Sleeps; an interrupt ends it with KeyboardInterrupt."""
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        self.before_wait()
        select.poll().poll(math.ceil(seconds * 1000))

    def was_interrupted(self, request_id: str) -> bool:
        """Whether an interrupt of this request has arrived."""
        self._read_all()
        return request_id in self._interrupted

    def interrupted_in_line(self) -> bool:
        """Whether an interrupt has arrived of a request that has not been taken yet.

        It waits for nothing: interrupts may come faster than any wait ends, and what is interrupted
        would not go on between them.
        """
        with self._interrupts:
            for _ in range(2):  # an interrupt ends the first look with EINTR
                self._read_all()
        return any(frame.request_id in self._interrupted for frame in self._arrived)

    def forget_interrupts(self) -> None:
        """Forgets all that have arrived."""
        self._interrupted.clear()

    def _read_all(self) -> None:
        with self._interrupts:
            while self._peeker.poll(0):
                self._read()

    def next(self) -> Frame | None:
        """The first frame in line, if any; it stays there until it is taken."""
        return self._arrived[0] if self._arrived else None

    def take(self) -> Frame:
        """Takes the first frame out of the line."""
        return self._arrived.popleft()

    def drop(self, kind: str) -> None:
        """Drops the frames of this kind that are in line."""
        with self._interrupts:
            self._arrived = deque(frame for frame in self._arrived if frame.kind != kind)

    def receive(self, kind: str) -> Frame:
        """Waits for a frame of this kind; the others stay in line."""
        with self._interrupts:
            while (found := self._first(kind)) is None:
                self.wait(None)
            self._arrived.remove(found)
            return found

    def take_first(self, kind: str) -> Frame | None:
        """Takes the first frame of this kind out of the line, if there is one."""
        with self._interrupts:
            found = self._first(kind)
            if found is not None:
                self._arrived.remove(found)
            return found

    def _first(self, kind: str) -> Frame | None:
        return next((frame for frame in self._arrived if frame.kind == kind), None)
