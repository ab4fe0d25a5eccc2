"""The listener: what it understands of the owner's packets."""

from __future__ import annotations

import ast
import socket
import subprocess
import sys

from rlm_kernel.sandbox.listener import PACKET_BYTES, interrupt_packet

PROGRAM = """
import socket, sys, threading
from rlm_kernel.sandbox.listener import Listener
control = socket.socket(fileno=int(sys.argv[1]))
Listener(control, lambda request_id: print(ascii(request_id), flush=True), lambda: None).start()
threading.Event().wait()
"""


def heard(*packets: bytes) -> list[str]:
    """The requests that a listener is told to interrupt, until its owner ends."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdout=subprocess.PIPE,
            text=True,
        )
        theirs.close()
        for packet in packets:
            ours.send(packet)
        ours.close()
        output, _ = process.communicate()
    assert process.returncode == 0
    return [ast.literal_eval(line) for line in output.splitlines()]


def test_any_id_reaches_the_session_as_it_was() -> None:
    ids = ["", "\0", "c", "é\ud800", "x" * (PACKET_BYTES - 1)]
    assert heard(*map(interrupt_packet, ids)) == ids


def test_an_id_too_long_for_a_packet_still_interrupts_what_runs() -> None:
    assert heard(interrupt_packet("é" * PACKET_BYTES)) == [""]


def test_a_packet_of_an_unknown_kind_is_passed_over() -> None:
    assert heard(b"?", interrupt_packet("next")) == ["next"]


def test_an_interrupt_that_comes_many_times_at_once_acts_once() -> None:
    packets = [interrupt_packet("one"), interrupt_packet("two")] * 50
    assert heard(*packets) == ["one", "two"]
