"""One session process as its owner sees it: frames both ways, interrupts, the end of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable
from typing import Literal

from rlm_kernel.guest.frames import Frame, FrameDecoder, FrameError
from rlm_kernel.sandbox.line_sockets import LineSockets, descriptors, line_sockets
from rlm_kernel.sandbox.listener import AWAKE, COPY, PACKET_BYTES, interrupt_packet
from rlm_kernel.sandbox.process_group import ProcessGroup
from rlm_kernel.sandbox.sender import ask_for_senders, sender_of_packet

Cause = Literal["killed", "protocol", "exited"]
"""Why a process ended: by its owner, over what it sent, or of itself (also by others' hands)."""

FRAMES_AT_ONCE = 64
SECONDS_AT_ONCE = 0.005
"""Frames handled, and time taken for them, before others on the event loop have their turn."""

REST, LONG_REST = 3, 30
"""How many times as long as its frames took a process that sends many has to wait then."""

REST_MAX_S = 5.0

THAW_SECONDS = 5.0
"""A frozen copy that says nothing for so long after it was woken is given up."""

REASON_MAX = 200
"""Characters of what a process says of its end."""

COPY_PATIENCE = 2.0
"""Seconds that a guest has to stand still for a copy: one that is busy between cells, with a task
that never ends, must not hold up what its owner asks next."""


class SessionProcess(asyncio.Protocol):
    """Owns the process, through a pidfd that no other process can take over, and its sockets.

    `on_frame` gets each frame on the event loop, a few at a time, so that a flood neither fills
    the memory nor keeps other sessions waiting: a process that sends much has to wait in between,
    so that most of the loop's time is for others. `ended` resolves with the reason once the process
    is no more; one that sends what is no frame is killed.
    """

    def __init__(
        self, pid: int, control: socket.socket, lifeline: socket.socket, group: ProcessGroup
    ) -> None:
        self.pid = pid
        self._group = group
        self._group.join()
        self.on_frame: Callable[[Frame], None] = lambda frame: None
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[str] = self._loop.create_future()
        self._pidfd = _open_pidfd(pid)
        self._control = control
        self._control.setblocking(False)
        self._lifeline = lifeline
        self._decoder = FrameDecoder()
        self._transport: asyncio.Transport | None = None
        self._rest = REST
        self._reason: str | None = None
        self._cause: Cause = "exited"

    @classmethod
    async def connect(
        cls, pid: int, sockets: LineSockets, group: ProcessGroup | None = None
    ) -> SessionProcess:
        """Takes a process over, one of a group of its own where none is given."""
        own = group or ProcessGroup(pid)
        sockets.frames.setblocking(False)
        _, process = await asyncio.get_running_loop().create_connection(
            lambda: cls(pid, sockets.control, sockets.lifeline, own), sock=sockets.frames
        )
        return process

    def drop_uploads(self) -> None:
        """Has the process forget files on their way, which go to the one that it is a copy of."""
        self.send(Frame("drop_uploads", "", {}))

    def wake(self) -> None:
        """Lets the guest of a forked process run: until then it is as it was when forked."""
        self.send(Frame("renew", "", {}))

    async def thaw(self) -> bool:
        """Wakes a frozen copy, and says whether it lives; else it is killed."""
        self.wake()
        # Its own descriptor: the other one is closed when the process ends.
        with contextlib.suppress(OSError, TimeoutError), self._control.dup() as control:
            async with asyncio.timeout(THAW_SECONDS):
                if await self._loop.sock_recv(control, PACKET_BYTES) == AWAKE:
                    return True
        self.kill("it did not wake")
        return False

    async def copy(self) -> SessionProcess:
        """A copy of the process and its guest, frozen until `wake`. The guest must be waiting.

        Raises OSError when the process ends before, or the guest does not wait for long.
        """
        self._group.join()  # or what has just been copied would end with a process that ends now
        try:
            return await self._copied()
        finally:
            self._group.leave()

    async def _copied(self) -> SessionProcess:
        with line_sockets() as (ours, theirs):
            ours.control.setblocking(False)
            ask_for_senders(ours.control)
            socket.send_fds(self._control, [COPY], descriptors(theirs))
            for each in (theirs.frames, theirs.control):
                each.close()  # or the end of the process would go unnoticed
            self.send(Frame("copy", "", {}))
            # Not over the line of frames: what comes there may have been written by the guest.
            pid = await asyncio.wait_for(sender_of_packet(ours.control), COPY_PATIENCE)
            theirs.tie(pid)
            return await self.connect(pid, ours, self._group)

    def slow_down(self) -> None:
        """Has the process wait longer: what it sends is not wanted any more."""
        self._rest = LONG_REST

    def send(self, frame: Frame) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._rest = REST
            self._transport.write(frame.encode())

    def interrupt(self, request_id: str) -> None:
        """KeyboardInterrupt in the code of this request, also where it has not started yet."""
        with contextlib.suppress(OSError):  # it is ending, or has not read any for long
            self._control.send(interrupt_packet(request_id))

    @property
    def cause(self) -> Cause:
        """Why it ended, once it has."""
        return self._cause

    def kill(self, reason: str, cause: Cause = "killed") -> None:
        """Ends the process at once; `reason` is what `ended` will say. Idempotent."""
        if self._reason is None:
            self._reason, self._cause = reason, cause
        self._send_kill()
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._handle(data)

    def _handle(self, data: bytes = b"") -> None:
        """Handles some of the frames that have arrived, and the rest a while later."""
        if self._transport is None or self._is_ending():
            return
        started = self._loop.time()
        try:
            for number, frame in enumerate(self._decoder.feed(data)):
                self._take(frame)
                if self._is_ending():
                    return
                taken = self._loop.time() - started
                if number == FRAMES_AT_ONCE or taken > SECONDS_AT_ONCE:
                    self._transport.pause_reading()
                    self._loop.call_later(min(taken * self._rest, REST_MAX_S), self._handle)
                    return
        except FrameError as error:
            self.kill(f"it broke the protocol with its owner: {error}", "protocol")
        else:
            self._transport.resume_reading()

    def _is_ending(self) -> bool:
        return self._reason is not None

    def _take(self, frame: Frame) -> None:
        if frame.kind == "exited":
            # Its last word, also where the guest has written it: nothing after it is heard.
            last_word = str(frame.content.get("reason"))[:REASON_MAX]
            self.kill(f"it ended by itself ({last_word})", "exited")
        else:
            self.on_frame(frame)

    def connection_lost(self, exc: Exception | None) -> None:
        self._control.close()
        self._lifeline.close()
        if self._pidfd is None:
            self._end()
        else:
            self._send_kill()
            # A pidfd is readable once the process is no more.
            self._loop.add_reader(self._pidfd, self._end)

    def _send_kill(self) -> None:
        if self._pidfd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def _end(self) -> None:
        pidfd, self._pidfd = self._pidfd, None
        if pidfd is not None:
            self._loop.remove_reader(pidfd)
            os.close(pidfd)
        if not self.ended.done():
            self._group.leave()
            self.ended.set_result(self._reason or "it ended without a word")


def _open_pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None
