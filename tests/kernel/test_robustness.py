"""Floods, messages as large as they may be, and sessions that are killed."""

from __future__ import annotations

import os
import signal

from rlm_kernel.sandbox import Limits
from tests.kernel.conftest import Served
from tests.kernel.peer import Peer
from tests.kernel.test_comms import open_echo, send


def test_a_client_that_reads_nothing_does_not_keep_the_others_from_a_long_stream(
    served: Served, peer: Peer
) -> None:
    with Peer(served.connection):
        done = peer.execute("for _ in range(150):\n    print('x' * 100_000)")
        assert len(done.text()) == 150 * 100_001


def test_a_stream_of_a_hundred_megabytes_is_cut_and_the_kernel_goes_on(
    served: Served, peer: Peer
) -> None:
    with Peer(served.connection) as other:
        running = peer.start("for _ in range(1000):\n    print('x' * 100_000)")
        done = peer.finish(running)
        assert done.content["status"] == "ok"
        text = done.text()
        assert len(text) >= Limits().output_bytes
        assert "RLM_KERNEL_OUTPUT_BYTES" in text[-200:]
        other.until_published(
            lambda m: (
                m["parent_header"].get("msg_id") == running
                and m["content"].get("execution_state") == "idle"
            )
        )
        assert other.execute("6 * 7").contents("execute_result")[0]["data"] == {"text/plain": "42"}


def test_control_answers_while_a_cell_floods_its_clients(served: Served, peer: Peer) -> None:
    running = peer.start("while True:\n    print('x' * 1000)")
    peer.await_text("xxx")
    for kind in ("kernel_info_request", "usage_request"):
        assert (
            peer.reply(peer.send(kind, channel="control"), "control")["content"]["status"] == "ok"
        )
    peer.reply(peer.send("interrupt_request", channel="control"), "control")
    assert peer.finish(running).content["ename"] == "KeyboardInterrupt"


def test_buffers_of_fifty_megabytes_go_both_ways(peer: Peer) -> None:
    open_echo(peer)
    buffer = os.urandom(1 << 20) * 50
    [answer] = send(peer, "large", [buffer])["buffers"]
    assert bytes(answer) == buffer[::-1]


def test_a_killed_session_is_told_to_everyone_and_a_restart_makes_it_work(
    served: Served, peer: Peer
) -> None:
    with Peer(served.connection) as witness:
        running = peer.start("print('on', flush=True)\nwhile True: pass")
        peer.await_text("on\n")
        os.kill(served.session.pid, signal.SIGKILL)
        assert peer.reply(running)["content"]["ename"] == "SessionDied"
        witness.until_published(lambda m: bool(m["msg_type"] == "error"))
        witness.until_published(lambda m: m["content"].get("execution_state") == "idle")
        served.loop.run(served.kernel.restart())
        witness.until_published(lambda m: m["content"].get("execution_state") == "starting")
        assert peer.execute("6 * 7").contents("execute_result")[0]["data"]["text/plain"] == "42"
