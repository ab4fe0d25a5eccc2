"""pdb in a session, whose questions go to the client that executes."""

from __future__ import annotations

import pytest

from tests.kernel.peer import Peer


@pytest.mark.parametrize("code", ["import pdb; pdb.set_trace()", "breakpoint()"])
def test_an_interrupt_ends_the_debugger_and_its_cell(peer: Peer, code: str) -> None:
    running = peer.start(code, allow_stdin=True)
    peer.next_question()
    peer.reply(peer.send("interrupt_request", channel="control"), "control")
    assert "KeyboardInterrupt" in peer.finish(running).text()
    assert peer.execute("print('next')").text() == "next\n"


def test_the_debugger_reads_variables_and_lets_the_cell_go_on(peer: Peer) -> None:
    running = peer.start("secret = 42\nbreakpoint()\nprint('went', 'on')", allow_stdin=True)
    for line in ("p secret + 1", "continue"):
        peer.next_question()
        peer.client.input(line)
    done = peer.finish(running)
    assert done.content["status"] == "ok"
    assert "43\n" in done.text()
    assert done.text().endswith("went on\n")
