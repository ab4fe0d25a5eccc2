"""Who sent a packet, in the kernel's word."""

from __future__ import annotations

import asyncio
import socket
from struct import Struct

_CREDENTIALS = Struct("<iII")
"""`struct ucred`: process, user, group; source: Linux's `include/linux/socket.h`."""


def ask_for_senders(sock: socket.socket) -> None:
    """From now on the kernel marks the packets that arrive here with their senders."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)


async def sender_of_packet(control: socket.socket) -> int:
    """The id of the process that sends the next packet; ConnectionError where none comes any more.

    It is the kernel's word: what the packet says may be a lie. The socket must not block, and
    must have asked for senders before the packet was sent.
    """
    loop, arrived = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(control, arrived.set)
    try:
        await arrived.wait()
    finally:
        loop.remove_reader(control)
    packet, credentials, _, _ = control.recvmsg(1, socket.CMSG_SPACE(_CREDENTIALS.size))
    for level, kind, data in credentials:
        if packet and (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
            process: int = _CREDENTIALS.unpack(data)[0]
            return process
    raise ConnectionError("the process ended before it was copied")
