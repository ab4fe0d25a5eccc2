"""What a session uses of the machine."""

from __future__ import annotations

from rlm_kernel.kernel.usage import Usage
from tests.kernel.conftest import Served
from tests.kernel.peer import Peer


def test_usage_is_that_of_the_sessions_own_process_also_while_a_cell_runs(
    served: Served, peer: Peer
) -> None:
    before = peer.ask("usage_request", channel="control").content
    running = peer.start(
        "filler = bytearray(64 << 20)\nfor i in range(0, len(filler), 4096):\n"
        "    filler[i] = 1\nprint('full', flush=True)\nwhile True: pass"
    )
    peer.await_text("full\n")
    peer.send("usage_request", channel="control")
    after = peer.next_reply("control")["content"]
    peer.send("interrupt_request", channel="control")
    peer.reply(running)
    assert before["pid"] == after["pid"] == served.session.pid
    assert after["kernel_memory"] - before["kernel_memory"] >= 64 << 20
    assert after["kernel_cpu"] > 0


def test_a_process_that_is_gone_uses_nothing() -> None:
    usage = Usage()
    for pid in (None, 2**22 + 1):
        content = usage.read(pid)
        assert (content["kernel_cpu"], content["kernel_memory"]) == (0, 0)


def test_a_debugger_is_refused_and_not_promised(peer: Peer) -> None:
    assert peer.ask("kernel_info_request").content["debugger"] is False
    reply = peer.ask("debug_request", {"command": "initialize"}, channel="control")
    assert reply.content["ename"] == "NoDebugger"
