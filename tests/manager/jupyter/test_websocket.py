"""Jupyter clients on WebSockets, on sessions that others use at the same time."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.kernel.peer import Peer
from tests.manager.jupyter.socket_client import SocketClient, is_idle, kind_of, text_of
from tests.manager.process import ManagerProcess
from tests.manager.test_sessions import run


@pytest.fixture(params=[True, False], ids=["v1", "legacy"])
def client(
    manager: ManagerProcess, kernel_id: str, request: pytest.FixtureRequest
) -> Iterator[SocketClient]:
    with SocketClient(manager.url, kernel_id, v1=request.param) as client:
        yield client


def test_a_cell_is_answered_and_its_output_published(client: SocketClient) -> None:
    messages = client.execute("print('hello'); 6 * 7")
    kinds = [kind_of(message) for message in messages if message["channel"] == "iopub"]
    assert kinds == ["status", "execute_input", "stream", "execute_result", "status"]
    (reply,) = (message for message in messages if message["channel"] == "shell")
    assert reply["content"]["status"] == "ok"
    assert text_of(messages) == "hello\n"


def test_a_connection_is_nothing_to_warn_of(manager: ManagerProcess, client: SocketClient) -> None:
    client.execute("1")
    assert "websocket_ping" not in manager.log()


def test_the_variables_are_those_of_the_session(
    http: httpx.Client, session: str, client: SocketClient
) -> None:
    run(http, session, "x = 20")
    client.execute("x += 1")
    assert run(http, session, "x * 2")["result"] == "42"


def test_control_is_answered_while_a_cell_runs(client: SocketClient) -> None:
    client.send("execute_request", {"code": "print('on'); import time; time.sleep(60)"})
    client.until(lambda message: kind_of(message) == "stream")
    client.ask("kernel_info_request", {}, "control")
    client.send("interrupt_request", {}, "control")
    reply = client.until(lambda message: kind_of(message) == "execute_reply")[-1]
    assert reply["content"]["ename"] == "KeyboardInterrupt"


def test_a_question_of_the_code_is_answered(client: SocketClient) -> None:
    client.send("execute_request", {"code": "print(input('who? '))", "allow_stdin": True})
    question = client.until(lambda message: message["channel"] == "stdin")[-1]
    assert question["content"]["prompt"] == "who? "
    client.send("input_reply", {"value": "me"}, "stdin")
    assert text_of(client.until(lambda message: kind_of(message) == "stream")) == "me\n"


def test_buffers_go_both_ways(client: SocketClient) -> None:
    client.execute(
        "import comm\n"
        "def opened(comm, message):\n"
        "    comm.send({}, buffers=[bytes(message['buffers'][0])[::-1], b''])\n"
        "comm.get_comm_manager().register_target('mirror', opened)"
    )
    client.send("comm_open", {"comm_id": "1", "target_name": "mirror", "data": {}}, "shell", b"abc")
    answer = client.until(lambda message: kind_of(message) == "comm_msg")[-1]
    assert [bytes(buffer) for buffer in answer["buffers"]] == [b"cba", b""]


def test_clients_of_all_transports_see_the_same_outputs(
    http: httpx.Client, manager: ManagerProcess, session: str, kernel_id: str
) -> None:
    with (
        Peer(http.get(f"{session}/connection").json()) as zmq,
        SocketClient(manager.url, kernel_id, v1=True) as first,
        SocketClient(manager.url, kernel_id, v1=False) as second,
    ):
        run(http, session, "print('hello'); 6 * 7")
        seen = []
        for client in (first, second):
            seen.append(client.until(is_idle))
        seen.append([zmq.next_published() for _ in seen[0]])
        stories = [[(m["header"]["msg_id"], m["content"]) for m in messages] for messages in seen]
        assert stories[0] == stories[1] == stories[2]
        assert text_of(seen[0]) == "hello\n"


def test_whoever_is_attached_is_counted(
    http: httpx.Client, manager: ManagerProcess, session: str, kernel_id: str
) -> None:
    def connections() -> int:
        count: int = http.get(f"/api/kernels/{kernel_id}").json()["connections"]
        return count

    assert connections() == 0
    with (
        SocketClient(manager.url, kernel_id) as client,
        Peer(http.get(f"{session}/connection").json()),
    ):
        client.execute("1")
        assert connections() == 2
    while connections():
        continue


def test_the_end_of_the_session_closes_the_socket(
    http: httpx.Client, session: str, client: SocketClient
) -> None:
    http.delete(session)
    assert client.closing() == (1001, "the session is over")


def upgrade(http: httpx.Client, kernel_id: str, **headers: str) -> int:
    """The status that answers a request for a WebSocket that is not to be had."""
    wanted = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    return http.get(f"/api/kernels/{kernel_id}/channels", headers=wanted | headers).status_code


def test_an_unknown_kernel_is_refused(http: httpx.Client) -> None:
    assert upgrade(http, "00000000-0000-0000-0000-000000000000") == 404


def test_a_page_of_another_site_is_refused(http: httpx.Client, kernel_id: str) -> None:
    """Browsers let any page open WebSockets to anywhere, with the cookies of there."""
    assert upgrade(http, kernel_id, Origin="http://evil.example") == 403
    assert upgrade(http, kernel_id, Origin="null") == 403
    assert upgrade(http, kernel_id, **{"Sec-Fetch-Site": "cross-site"}) == 403
    assert upgrade(http, kernel_id, Host="evil.example") == 403
