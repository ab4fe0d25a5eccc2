"""Subshells: what they wait for, and what they do not wait for."""

from __future__ import annotations

from typing import Any

from rlm_kernel.kernel.subshells import MAX_SUBSHELLS
from tests.kernel.conftest import Served
from tests.kernel.peer import Peer


def control(peer: Peer, kind: str, **content: Any) -> dict[str, Any]:
    return peer.ask(f"{kind}_subshell_request", content, channel="control").content


def create(peer: Peer) -> str:
    return str(control(peer, "create")["subshell_id"])


def send(peer: Peer, subshell_id: str, kind: str, content: dict[str, Any]) -> str:
    message = peer.client.session.msg(kind, content)
    message["header"]["subshell_id"] = subshell_id
    peer.client.shell_channel.send(message)
    return str(message["header"]["msg_id"])


def test_subshells_are_created_listed_and_deleted(peer: Peer) -> None:
    first, second = create(peer), create(peer)
    assert control(peer, "list")["subshell_id"] == [first, second]
    assert control(peer, "delete", subshell_id=first)["status"] == "ok"
    assert control(peer, "list")["subshell_id"] == [second]
    assert control(peer, "delete", subshell_id=first)["ename"] == "SubshellError"


def test_a_subshells_request_runs_before_what_waits_in_the_main_shell(
    served: Served, peer: Peer
) -> None:
    subshell_id = create(peer)
    peer.start("order = []\ninput()", allow_stdin=True)
    peer.next_question()
    for number in range(2):
        peer.start(f"order.append({number})")
    served.await_waiting(2)
    send(peer, subshell_id, "execute_request", {"code": "order.append('sub')"})
    peer.start("'last'")
    served.await_waiting(3)  # the subshell's request came before the last one
    peer.client.input("")
    for _ in range(5):
        peer.next_reply()
    shown = peer.execute("order").contents("execute_result")[0]["data"]["text/plain"]
    assert shown.index("'sub'") < shown.index("1")


def test_a_failed_cell_of_a_subshell_aborts_nothing_of_the_main_shell(
    served: Served, peer: Peer
) -> None:
    subshell_id = create(peer)
    blocker = peer.start("input()", allow_stdin=True)
    peer.next_question()
    first = peer.start("'first'")
    failing = send(peer, subshell_id, "execute_request", {"code": "1 / 0"})
    last = peer.start("'last'")
    served.await_waiting(2)
    peer.client.input("")
    status = {}
    for _ in range(4):
        reply = peer.next_reply()
        status[reply["parent_header"]["msg_id"]] = reply["content"]["status"]
    assert status == {blocker: "ok", first: "ok", failing: "error", last: "ok"}


def test_a_request_for_an_unknown_subshell_is_answered_with_an_error(peer: Peer) -> None:
    done = peer.finish(send(peer, "nonesuch", "is_complete_request", {"code": "1"}))
    assert done.content["ename"] == "SubshellError"
    assert [c["execution_state"] for c in done.contents("status")] == ["busy", "idle"]


def test_there_is_a_limit_to_subshells(peer: Peer) -> None:
    for _ in range(MAX_SUBSHELLS):
        assert control(peer, "create")["status"] == "ok"
    assert control(peer, "create")["ename"] == "SubshellError"


def test_a_restarted_kernel_has_no_subshells(served: Served, peer: Peer) -> None:
    create(peer)
    served.loop.run(served.kernel.restart())
    assert control(peer, "list")["subshell_id"] == []
