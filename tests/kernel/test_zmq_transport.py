"""The wire: signatures, malformed messages, several clients, encryption, and leaving nothing."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import random
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
from jupyter_client.session import Session as Signer

from rlm_kernel.errors import ConfigurationError
from rlm_kernel.kernel import ConnectionInfo, Kernel, ZMQTransport
from rlm_kernel.sandbox.loop_thread import LoopThread
from tests.kernel.conftest import Served
from tests.kernel.peer import Peer
from tests.kernel.recording import RecordingSession

DELIMITER = b"<IDS|MSG>"
PATIENCE_MS = 30_000
PORTS = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")
LISTEN = "0A"
"""The state of a listening socket in /proc/net/tcp."""


class RawPeer:
    """Sends frames of any kind on the shell channel, beside well-formed requests."""

    def __init__(self, connection: dict[str, Any]) -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.linger = 0
        self._socket.rcvtimeo = PATIENCE_MS
        self._socket.connect(f"tcp://{connection['ip']}:{connection['shell_port']}")
        self.signer = Signer(key=connection["key"].encode())

    def send(self, frames: list[bytes]) -> None:
        self._socket.send_multipart(frames)

    def request(self) -> list[bytes]:
        """The frames of a well-formed request."""
        return self.signer.serialize(self.signer.msg("kernel_info_request"))

    def signed(self, parts: list[bytes]) -> list[bytes]:
        return [DELIMITER, self.signer.sign(parts), *parts]

    def is_answered(self) -> bool:
        """Whether a good request is the next one that is answered."""
        request = self.signer.msg("kernel_info_request")
        self.send(self.signer.serialize(request))
        _, parts = self.signer.feed_identities(self._socket.recv_multipart())
        parent = self.signer.deserialize(parts)["parent_header"]
        return bool(parent["msg_id"] == request["header"]["msg_id"])

    def close(self) -> None:
        self._socket.close()
        self._context.term()


@pytest.fixture
def raw(served: Served) -> Iterator[RawPeer]:
    peer = RawPeer(served.connection)
    yield peer
    peer.close()


def _forged(peer: RawPeer) -> list[bytes]:
    return Signer(key=b"another key").serialize(peer.signer.msg("kernel_info_request"))


def _unsigned(peer: RawPeer) -> list[bytes]:
    frames = peer.request()
    return [frames[0], b"", *frames[2:]]


def _altered(peer: RawPeer) -> list[bytes]:
    return [*peer.request()[:-1], b'{"code": "evil"}']


def _headers(header: object) -> Callable[[RawPeer], list[bytes]]:
    return lambda peer: peer.signed([json.dumps(header).encode(), b"{}", b"{}", b"{}"])


MALFORMED: dict[str, Callable[[RawPeer], list[bytes]]] = {
    "forged": _forged,
    "unsigned": _unsigned,
    "altered": _altered,
    "no delimiter": lambda peer: [b"hello"],
    "empty": lambda peer: [b""],
    "delimiter only": lambda peer: [DELIMITER],
    "too few parts": lambda peer: peer.signed([b"{}", b"{}"]),
    "not json": lambda peer: peer.signed([b"\xff\x00", b"{}", b"{}", b"{}"]),
    "deeply nested": lambda peer: peer.signed([b"[" * 100_000, b"{}", b"{}", b"{}"]),
    "header a list": _headers([]),
    "header empty": _headers({}),
    "type a number": _headers({"msg_id": "1", "msg_type": 7}),
    "id null": _headers({"msg_id": None, "msg_type": "kernel_info_request"}),
    "version odd": _headers({"msg_id": "1", "msg_type": "kernel_info_request", "version": "x.y"}),
    "content a list": lambda peer: peer.signed([peer.request()[2], b"{}", b"{}", b"[]"]),
    "parent a string": lambda peer: peer.signed([peer.request()[2], b'"x"', b"{}", b"{}"]),
}


@pytest.mark.parametrize("kind", sorted(MALFORMED))
def test_a_malformed_message_is_dropped_with_a_log_line(
    raw: RawPeer, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="rlm_kernel.kernel"):
        raw.send(MALFORMED[kind](raw))
        assert raw.is_answered()
    assert "dropped a malformed message on shell" in caplog.text


def test_a_replayed_message_is_dropped(raw: RawPeer, caplog: pytest.LogCaptureFixture) -> None:
    frames = raw.request()
    raw.send(frames)
    raw._socket.recv_multipart()
    raw.send(frames)
    assert raw.is_answered()
    assert "Duplicate Signature" in caplog.text


def test_every_subscriber_is_welcomed(served: Served) -> None:
    with Peer(served.connection) as first, Peer(served.connection) as second:
        for peer in (first, second):
            assert peer.welcome["msg_type"] == "iopub_welcome"
            assert peer.welcome["content"] == {"subscription": ""}


def test_the_heart_beats_while_a_cell_runs(served: Served, peer: Peer) -> None:
    running = peer.start("print('running')\nwhile True: pass")
    peer.await_text("running")
    context = zmq.Context()
    heart = context.socket(zmq.REQ)
    heart.linger, heart.rcvtimeo = 0, PATIENCE_MS
    heart.connect(f"tcp://127.0.0.1:{served.connection['hb_port']}")
    heart.send(b"beat")
    assert heart.recv() == b"beat"
    context.destroy()
    peer.send("interrupt_request", {}, "control")
    peer.finish(running)


def test_ten_clients_at_once_each_get_their_own_replies(served: Served) -> None:
    peers = [Peer(served.connection) for _ in range(10)]
    sent = [(p, n, p.start(f"print({n}); {n}")) for n, p in enumerate(peers) for _ in range(3)]
    done = [(number, peer.finish(message_id)) for peer, number, message_id in sent]
    for number, exchange in done:
        assert exchange.text() == f"{number}\n"
        assert exchange.contents("execute_result")[0]["data"]["text/plain"] == str(number)
    for peer in peers:
        peer.client.stop_channels()


def test_a_client_that_vanishes_in_the_middle_of_a_stream_disturbs_nobody(
    served: Served, peer: Peer
) -> None:
    with Peer(served.connection) as vanishing:
        vanishing.start("for n in range(2000): print('x' * 1000, flush=True)")
        vanishing.await_text("x")
    assert peer.execute("'still here'").content["status"] == "ok"


def test_binary_buffers_arrive_unchanged(loop: LoopThread) -> None:
    received: list[tuple[bytes, ...]] = []

    class Buffered(RecordingSession):
        async def request(self, kind: str, content: Any, **options: Any) -> Any:
            received.append(tuple(options["buffers"]))
            return await super().request(kind, content, request_id="1")

    transport, connection = loop.run(_serve(session=Buffered()))
    with Peer(connection) as peer:
        message = peer.client.session.msg("comm_msg", {"comm_id": "1", "data": {}})
        message["buffers"] = [b"\x00\xff" * 100_000, b""]
        peer.client.shell_channel.send(message)
        peer.published(message["header"]["msg_id"])
    loop.run(_close(transport))
    assert received == [(b"\x00\xff" * 100_000, b"")]


async def _close(transport: ZMQTransport) -> None:
    transport.close()


async def _serve(
    connection: ConnectionInfo | None = None, session: RecordingSession | None = None
) -> tuple[ZMQTransport, dict[str, Any]]:
    transport = ZMQTransport(Kernel(session or RecordingSession()), connection)
    return transport, transport.connection_info()


def test_nothing_is_bound_before_the_connection_is_asked_for(loop: LoopThread) -> None:
    async def bind() -> None:
        transport = ZMQTransport(Kernel(RecordingSession()))
        assert _listening() <= before
        connection = transport.connection_info()
        assert transport.connection_info() == connection
        assert _listening() - before == {connection[name] for name in PORTS}
        transport.close()

    before = _listening()
    loop.run(bind())


def _listening() -> set[int]:
    """The TCP ports that this process listens on."""
    own = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            own.add(str(descriptor.readlink()))
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {
        int(row[1].partition(":")[2], 16)
        for row in rows
        if row[3] == LISTEN and f"socket:[{row[9]}]" in own
    }


def test_a_port_in_use_is_a_configuration_error_and_leaves_nothing(loop: LoopThread) -> None:
    transport, bound = loop.run(_serve())
    wanted = ConnectionInfo(shell_port=bound["shell_port"])
    with pytest.raises(ConfigurationError, match=os.strerror(errno.EADDRINUSE)):
        loop.run(_serve(wanted))
    loop.run(_close(transport))


def test_an_unknown_signature_scheme_is_a_configuration_error(loop: LoopThread) -> None:
    with pytest.raises(ConfigurationError, match="sign"):
        loop.run(_serve(ConnectionInfo(signature_scheme="rot13")))


def test_a_given_connection_is_served_as_it_is(loop: LoopThread) -> None:
    ports = dict(zip(PORTS, _free_ports(), strict=True))
    given = ConnectionInfo.model_validate({"key": "the key", **ports})
    transport, bound = loop.run(_serve(given))
    with Peer(bound) as peer:
        assert peer.execute("1").content["status"] == "ok"
    loop.run(_close(transport))
    assert bound == given.as_dict()


def _free_ports() -> list[int]:
    """Free ones that the system gives nobody unasked."""
    candidates, free = list(range(20_000, 30_000)), list[int]()
    random.shuffle(candidates)
    while len(free) < len(PORTS):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port := candidates.pop()))
            free.append(port)
    return free


def test_curve_keys_encrypt_the_wire(loop: LoopThread) -> None:
    public, secret = (key.decode() for key in zmq.curve_keypair())
    connection = ConnectionInfo(curve_publickey=public, curve_secretkey=secret)
    transport, bound = loop.run(_serve(connection))
    with Peer(bound) as peer:
        assert peer.execute("1").content["status"] == "ok"
    loop.run(_close(transport))


def test_the_ipc_transport_is_served_too(loop: LoopThread, tmp_path: Path) -> None:
    connection = ConnectionInfo(
        transport="ipc",
        ip=str(tmp_path / "k"),
        shell_port=1,
        iopub_port=2,
        stdin_port=3,
        hb_port=4,
        control_port=5,
    )
    transport, bound = loop.run(_serve(connection))
    with Peer(bound) as peer:
        assert peer.execute("1").content["status"] == "ok"
    loop.run(_close(transport))


def test_closing_leaves_no_port_behind(loop: LoopThread) -> None:
    transport, connection = loop.run(_serve())
    loop.run(_close(transport))
    loop.run(_close(transport))
    ports = {connection[name] for name in PORTS}
    while ports & _listening():  # ZMQ closes sockets in a thread of its own
        time.sleep(0.01)


def test_what_is_published_after_closing_goes_nowhere(loop: LoopThread) -> None:
    async def publish() -> str:
        kernel = Kernel(RecordingSession())
        transport = ZMQTransport(kernel)
        transport.connection_info()
        transport.close()
        return (await kernel.execute("1")).status

    assert loop.run(publish()) == "ok"
