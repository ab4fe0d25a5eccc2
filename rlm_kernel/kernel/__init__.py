"""A session as a Jupyter kernel: the protocol core, its transports and its kernelspec."""

from __future__ import annotations

from rlm_kernel.kernel.connection import ConnectionInfo
from rlm_kernel.kernel.kernel import Kernel
from rlm_kernel.kernel.message import Channel, Message
from rlm_kernel.kernel.sink import Client, Sink
from rlm_kernel.kernel.zmq_transport import ZMQTransport

__all__ = [
    "Channel",
    "Client",
    "ConnectionInfo",
    "Kernel",
    "Message",
    "Sink",
    "ZMQTransport",
]
