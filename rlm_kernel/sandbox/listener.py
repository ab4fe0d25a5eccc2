"""The thread of a session process that hears what must not wait for the guest."""

from __future__ import annotations

import _thread
import os
import queue
import select
import signal
import socket
import time
from collections.abc import Callable

from rlm_kernel.sandbox.line_sockets import LINE_SOCKETS

STACK_BYTES = 256 << 10
PACKET_BYTES = 1 << 16
PACKETS = 512
"""How many are taken before the first of them acts."""

INTERRUPT, COPY = b"i", b"c"
"""First bytes of the owner's packets; an empty one is the end."""

BREATH = 0.002
"""Seconds that the guest has for itself after an interrupt, however many more come: its handler may
take longer than their distance is, and nothing else would ever run."""

AWAKE = b"a"
"""What a frozen copy says to its owner when it was woken."""

COPIED = b"c"
"""A copy's first packet to its owner, for whom the kernel marks it with the sender's process."""


def interrupt_packet(request_id: str) -> bytes:
    """Interrupts a request, also one that has yet to start.

    An id that no packet holds is left out, so that at least what runs is interrupted.
    """
    packet = INTERRUPT + request_id.encode("utf-8", "surrogatepass")
    return packet if len(packet) <= PACKET_BYTES else INTERRUPT


class Listener:
    """Hears the owner's control packets, their end, and the timer.

    A packet is an `interrupt_packet`, or `COPY` with the sockets of a copy of this process. The end
    of the packets is the owner's, and ends the process at once, whatever the guest is doing.
    `on_interrupt(request_id)` and `on_timer()` are called in the listener's thread.
    """

    def __init__(
        self,
        control: socket.socket,
        on_interrupt: Callable[[str], None],
        on_timer: Callable[[], None],
    ) -> None:
        self._control = control
        self._copies: queue.SimpleQueue[list[int]] = queue.SimpleQueue()
        self._on_interrupt = on_interrupt
        self._on_timer = on_timer
        self._pipe = self._timer, self._wakeup = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.signal(signal.SIGALRM, lambda number, frame: None)
        signal.set_wakeup_fd(self._wakeup, warn_on_full_buffer=False)

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What must stay open."""
        return self._control.fileno(), self._timer, self._wakeup

    def start(self) -> None:
        """Starts the thread, under whatever restrictions its starter has by then."""
        _thread.stack_size(STACK_BYTES)
        # No `threading.Thread`: what comes with one is memory of each session, and time.
        _thread.start_new_thread(self._listen, ())

    def start_in_copy(self, control: socket.socket) -> None:
        """Listens for the owner of a forked copy of the process, where no thread runs yet."""
        self._control.close()
        self._control = control
        self._copies = queue.SimpleQueue()
        for ours, shared in zip(os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK), self._pipe, strict=True):
            os.dup2(ours, shared, inheritable=False)
            os.close(ours)
        self.start()

    def take_copy_sockets(self) -> list[int]:
        """The descriptors that came for the next copy; waits for them."""
        return self._copies.get()

    @staticmethod
    def set_timer(seconds: float) -> None:
        """Has `on_timer` called once, after so many seconds."""
        signal.setitimer(signal.ITIMER_REAL, seconds)

    def _listen(self) -> None:
        waiter = select.poll()
        waiter.register(self._control, select.POLLIN)
        waiter.register(self._timer, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in waiter.poll()}
            if self._timer in ready:
                os.read(self._timer, 64)
                self._on_timer()
            if self._control.fileno() in ready:
                self._take_packets()

    def _take_packets(self) -> None:
        packets = self._packets()
        interrupts = dict.fromkeys(packet for packet in packets if packet.startswith(INTERRUPT))
        for packet in interrupts:  # one that has come twice is one
            self._on_interrupt(packet[1:].decode("utf-8", "surrogatepass"))
        if b"" in packets:
            os._exit(0)
        if interrupts:
            time.sleep(BREATH)

    def _packets(self) -> list[bytes]:
        """What has come; what comes with those for copies is put aside."""
        packets: list[bytes] = []
        waiting = select.poll()
        waiting.register(self._control, select.POLLIN)
        while len(packets) < PACKETS and b"" not in packets[-1:] and waiting.poll(0):
            packet, descriptors, _, _ = socket.recv_fds(self._control, PACKET_BYTES, LINE_SOCKETS)
            packets.append(packet)
            if packet.startswith(COPY):
                self._copies.put(descriptors)
        return packets
