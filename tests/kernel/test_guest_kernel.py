"""`get_ipython().kernel`, as programs written for ipykernel use it."""

from __future__ import annotations

import pytest

from tests.kernel.peer import Peer


def test_a_cell_can_send_display_data_with_an_id_of_its_own(peer: Peer) -> None:
    done = peer.execute(
        "ip = get_ipython()\n"
        "content = {'data': {'text/plain': 'x'}, 'transient': {'display_id': 'd'}}\n"
        "ip.kernel.session.send(ip.kernel.iopub_socket, 'display_data', content,\n"
        "    parent=ip.parent_header)"
    )
    [shown] = done.contents("display_data")
    assert shown == {
        "data": {"text/plain": "x"},
        "metadata": {},
        "transient": {"display_id": "d"},
    }


@pytest.mark.parametrize(
    "where", ["get_ipython().parent_header", "get_ipython().kernel.get_parent()"]
)
def test_the_parent_is_the_message_that_is_served(peer: Peer, where: str) -> None:
    message_id = peer.start(f"print({where}['header']['msg_id'])")
    assert peer.finish(message_id).text() == f"{message_id}\n"


def test_a_comm_handler_is_told_which_message_it_serves(peer: Peer) -> None:
    peer.execute(
        "import comm\n"
        "def opened(comm, message): print(message['header']['msg_id'])\n"
        "comm.get_comm_manager().register_target('t', opened)"
    )
    message_id = peer.send("comm_open", {"comm_id": "c", "target_name": "t", "data": {}})
    published = peer.published(message_id)
    texts = [m["content"]["text"] for m in published if m["msg_type"] == "stream"]
    assert texts == [f"{message_id}\n"]


def test_what_no_cell_may_send_is_an_error_in_the_cell(peer: Peer) -> None:
    done = peer.execute("get_ipython().kernel.session.send(None, 'status', {})")
    assert (done.content["ename"], done.reply["metadata"]["state"]) == ("ValueError", "kept")


def test_a_cell_can_send_text_of_a_stream_and_nothing_beside_it(peer: Peer) -> None:
    done = peer.execute(
        "content = {'name': 'stderr', 'text': 'x' * 9_000_000, 'more': 1}\n"
        "get_ipython().kernel.session.send(None, 'stream', content, buffers=[b'y'])"
    )
    assert done.text("stderr") == "x" * 9_000_000
    assert {key for shown in done.contents("stream") for key in shown} == {"name", "text"}


def test_a_stream_of_another_name_is_an_error_in_the_cell(peer: Peer) -> None:
    done = peer.execute("get_ipython().kernel.session.send(None, 'stream', {'name': 'x'})")
    assert (done.content["ename"], done.reply["metadata"]["state"]) == ("ValueError", "kept")
