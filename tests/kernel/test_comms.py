"""Comms of the session, opened by either side."""

from __future__ import annotations

from typing import Any

from tests.kernel.peer import Peer

ECHO = """
from comm import get_comm_manager
seen = []
def opened(comm, message):
    seen.append((message["content"]["data"], message["metadata"]))
    @comm.on_msg
    def answer(message):
        buffers = [bytes(buffer)[::-1] for buffer in message["buffers"]]
        comm.send({"echo": message["content"]["data"]}, {"version": 1}, buffers)
    @comm.on_close
    def closed(message):
        print("closed", message["content"]["data"])
get_comm_manager().register_target("echo", opened)
"""


def open_echo(peer: Peer, data: dict[str, Any] | None = None) -> None:
    peer.execute(ECHO)
    content = {"comm_id": "c", "target_name": "echo", "data": data or {}}
    peer.published(peer.send("comm_open", content, metadata={"from": "test"}))


def send(peer: Peer, data: Any, buffers: list[bytes]) -> Any:
    content = {"comm_id": "c", "data": data}
    message = peer.client.session.msg("comm_msg", content)
    message["buffers"] = buffers
    peer.client.session.send(peer.client.shell_channel.socket, message, buffers=buffers)
    published = peer.published(message["header"]["msg_id"])
    return next(m for m in published if m["msg_type"] == "comm_msg")


def test_a_target_gets_the_data_and_metadata_of_a_comm_that_a_client_opens(peer: Peer) -> None:
    open_echo(peer, {"a": 1})
    done = peer.execute("seen")
    assert done.contents("execute_result")[0]["data"]["text/plain"] == (
        "[({'a': 1}, {'from': 'test'})]"
    )


def test_buffers_go_both_ways_with_data_and_metadata(peer: Peer) -> None:
    open_echo(peer)
    answer = send(peer, [1, "x"], [b"abc", b"", bytes(range(256))])
    assert answer["content"]["data"] == {"echo": [1, "x"]}
    assert answer["metadata"] == {"version": 1}
    assert [bytes(b) for b in answer["buffers"]] == [b"cba", b"", bytes(reversed(range(256)))]


def test_a_comm_that_code_opens_is_announced_and_listed(peer: Peer) -> None:
    done = peer.execute(
        "import comm\nc = comm.create_comm('t', {'v': 1}, {'m': 2}, [b'x'], comm_id='id')"
    )
    [opened] = [m for m in done.published if m["msg_type"] == "comm_open"]
    assert opened["content"]["comm_id"] == "id"
    assert (opened["content"]["target_name"], opened["content"]["data"]) == ("t", {"v": 1})
    assert opened["metadata"] == {"m": 2}
    assert [bytes(b) for b in opened["buffers"]] == [b"x"]
    listed = {"id": {"target_name": "t"}}
    assert peer.ask("comm_info_request").content["comms"] == listed
    assert peer.ask("comm_info_request", {"target_name": "t"}).content["comms"] == listed
    assert peer.ask("comm_info_request", {"target_name": "u"}).content["comms"] == {}


def test_a_client_that_closes_a_comm_is_heard_and_the_comm_is_gone(peer: Peer) -> None:
    open_echo(peer)
    message_id = peer.send("comm_close", {"comm_id": "c", "data": {"why": "done"}})
    texts = [m["content"]["text"] for m in peer.published(message_id) if m["msg_type"] == "stream"]
    assert "".join(texts) == "closed {'why': 'done'}\n"
    assert peer.ask("comm_info_request").content["comms"] == {}


def test_a_comm_for_a_target_that_nobody_registered_is_closed(peer: Peer) -> None:
    message_id = peer.send("comm_open", {"comm_id": "c", "target_name": "nobody", "data": {}})
    closed = [m for m in peer.published(message_id) if m["msg_type"] == "comm_close"]
    assert [m["content"]["comm_id"] for m in closed] == ["c"]


def test_an_interrupt_ends_a_comm_handler_that_does_not_return(peer: Peer) -> None:
    peer.execute(
        "import comm\n"
        "def opened(comm, message):\n"
        "    print('in', flush=True)\n"
        "    while True: pass\n"
        "comm.get_comm_manager().register_target('stuck', opened)"
    )
    message_id = peer.send("comm_open", {"comm_id": "c", "target_name": "stuck", "data": {}})
    peer.await_text("in\n")
    peer.reply(peer.send("interrupt_request", channel="control"), "control")
    peer.until_published(
        lambda m: (
            (m["parent_header"].get("msg_id"), m["content"].get("execution_state"))
            == (message_id, "idle")
        )
    )
    assert peer.execute("1 + 1").content["status"] == "ok"
