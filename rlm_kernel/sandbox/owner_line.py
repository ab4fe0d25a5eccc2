"""The session process's end of the line to its owner: the driver of the guest's `/dev/owner`."""

from __future__ import annotations

import math
import os
import select
import socket
import threading
import time
from collections.abc import Callable

from rlm_kernel.emscripten.errno import Errno, SyscallError
from rlm_kernel.guest.frames import Frame, FrameDecoder
from rlm_kernel.guest.link import MAKE_IMMORTAL, SIGNAL_IN_MILLISECONDS

RECEIVE_BYTES = 1 << 20
SIGNAL_DELAY_MAX_MS = 1000

Serve = Callable[[Frame], bool]
"""Whether a frame was served, so that the guest does not get it."""


class OwnerLine:
    """Carries the guest's bytes to the owner, and the owner's frames to the guest.

    Before `connect` the guest is being prepared: what it writes goes nowhere, and its first
    wait for input without a time limit calls `on_idle`, which returns once the line is connected.
    Frames that are served never reach the guest. `signal_in(seconds)` is called when the guest
    asks for a signal, and `make_immortal(address)`, while it is prepared, with a list of objects.
    """

    def __init__(self, on_idle: Callable[[], None], serve: Serve) -> None:
        self._on_idle = on_idle
        self._serve = serve
        self._inbox = bytearray()
        self._inbox_lock = threading.Lock()
        self._decoder = FrameDecoder()
        self.signal_in: Callable[[float], None] = lambda seconds: None
        self.make_immortal: Callable[[int], None] = lambda address: None
        self._frames: socket.socket | None = None
        self._wake = -1
        self._waiter = select.poll()

    def connect(self, frames: socket.socket) -> None:
        """Starts the line, or, in a forked copy of the process, the copy's own line."""
        if self._frames is not None:
            self._frames.close()
            os.close(self._wake)
        self._frames = frames
        self._inbox, self._inbox_lock = bytearray(), threading.Lock()
        self._decoder = FrameDecoder()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._waiter = select.poll()
        self._waiter.register(frames, select.POLLIN)
        self._waiter.register(self._wake, select.POLLIN)

    def await_owner(self) -> None:
        """Waits until the owner has sent something, with the guest frozen."""
        waiter = select.poll()
        waiter.register(self._frames or -1, select.POLLIN)
        waiter.poll()

    def end_wait(self) -> None:
        """Ends a wait of the guest with EINTR, the next one if it does not wait now."""
        os.eventfd_write(self._wake, 1)

    def deliver(self, frame: Frame) -> None:
        """Puts a frame before the guest as if the owner had sent it; callable from any thread."""
        with self._inbox_lock:
            self._inbox += frame.encode()

    def send(self, frame: Frame) -> None:
        self.write(frame.encode())

    def write(self, data: bytes) -> int:
        if self._frames is not None:
            try:
                self._frames.sendall(data)
            except OSError:
                os._exit(0)
        return len(data)

    def read(self, length: int) -> bytes:
        while not self.poll(None):
            continue
        with self._inbox_lock:
            data = bytes(self._inbox[:length])
            del self._inbox[:length]
        return data

    def poll(self, timeout: float | None) -> bool:
        if not self._inbox and self._frames is None:
            if timeout is not None:
                time.sleep(timeout)
                return False
            self._on_idle()
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._inbox:
            left = None if deadline is None else deadline - time.monotonic()
            if not self._receive(left) and left is not None and left <= 0:
                return False
        return True

    def control(self, request: int, argument: int) -> int:
        if request == SIGNAL_IN_MILLISECONDS:
            self.signal_in(min(argument, SIGNAL_DELAY_MAX_MS) / 1000)
        elif request == MAKE_IMMORTAL and self._frames is None:
            self.make_immortal(argument)
        else:
            raise SyscallError(Errno.ENOTTY)
        return 0

    def sleep(self, seconds: float | None) -> None:
        """Waits for nothing but time or an interrupt."""
        wake = select.poll()
        if self._wake >= 0:
            wake.register(self._wake, select.POLLIN)
        if wake.poll(_milliseconds(seconds)):
            self._interrupted()

    def _receive(self, timeout: float | None) -> bool:
        """Takes what the owner has sent, after waiting for it; whether there was anything."""
        ready = dict(self._waiter.poll(_milliseconds(timeout)))
        if self._wake in ready:
            self._interrupted()
        if not ready or self._frames is None:
            return False
        frames = self._frames
        data = frames.recv(RECEIVE_BYTES)
        if not data:
            os._exit(0)
        for frame in self._decoder.feed(data):
            served = self._serve(frame)
            if self._frames is not frames:
                return False  # this is a copy now; what else came was for the original
            if not served:
                self.deliver(frame)
        return True

    def _interrupted(self) -> None:
        os.eventfd_read(self._wake)
        raise SyscallError(Errno.EINTR)


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else max(0, math.ceil(seconds * 1000))
