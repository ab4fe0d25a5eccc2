"""Clients that stop to read: what waits for them, and who notices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

from rlm_kernel.kernel.deaf_clients import DeafClients, connections

LIMIT = 8 << 20
MESSAGE = [b"topic", bytes(256 << 10)]


@dataclass
class Publisher:
    socket: zmq.Socket[bytes]
    port: int
    context: zmq.Context[zmq.Socket[bytes]]

    def subscriber(self, queued: int) -> zmq.Socket[bytes]:
        """A client that has been subscribed, of which so many messages are kept unread."""
        subscriber = self.context.socket(zmq.SUB)
        subscriber.rcvhwm = queued
        subscriber.connect(f"tcp://127.0.0.1:{self.port}")
        subscriber.subscribe(b"")
        self.socket.recv()
        return subscriber


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.XPUB)
    socket.setsockopt(zmq.XPUB_VERBOSE, 1)
    socket.set_hwm(100_000)
    yield Publisher(socket, socket.bind_to_random_port("tcp://127.0.0.1"), context)
    context.destroy(linger=0)


def test_a_client_that_reads_nothing_is_hung_up_on_and_the_others_miss_nothing(
    publisher: Publisher, caplog: pytest.LogCaptureFixture
) -> None:
    reader, deaf = publisher.subscriber(queued=1000), publisher.subscriber(queued=1)
    monitor = publisher.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    clients, sent = DeafClients(publisher.port, LIMIT), 0
    while not monitor.poll(0):
        publisher.socket.send_multipart(MESSAGE)
        clients.note(MESSAGE)
        sent += 1
        assert reader.recv_multipart() == MESSAGE
    recv_monitor_message(monitor)
    publisher.socket.disable_monitor()
    monitor.close()
    deaf.close()
    assert sent * len(MESSAGE[1]) > LIMIT
    assert "hung up on a client" in caplog.text
    publisher.socket.send_multipart(MESSAGE)
    assert reader.recv_multipart() == MESSAGE
    reader.close()


def test_a_client_that_reads_late_gets_all_that_the_limit_allows(publisher: Publisher) -> None:
    reader = publisher.subscriber(queued=1)
    clients = DeafClients(publisher.port, LIMIT)
    count = LIMIT // len(MESSAGE[1]) - 1
    for _ in range(3):
        for _ in range(count):
            publisher.socket.send_multipart(MESSAGE)
            clients.note(MESSAGE)
        for _ in range(count):
            assert reader.recv_multipart() == MESSAGE
    reader.close()


def test_looking_at_the_clients_leaves_no_descriptor_open(publisher: Publisher) -> None:
    reader = publisher.subscriber(queued=1)
    clients = DeafClients(publisher.port, limit=0)
    before = _descriptors()
    for _ in range(3):
        clients.note([b"x"])
    assert _descriptors() == before
    [connection] = connections(publisher.port)
    connection.close()
    reader.close()


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
