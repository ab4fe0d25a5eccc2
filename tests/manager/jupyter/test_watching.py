"""Watching an agent work: what ran before one came, what runs now, and what one missed."""

from __future__ import annotations

import httpx
import pytest

from tests.manager.jupyter.socket_client import SocketClient, Wire, is_idle, kind_of, text_of
from tests.manager.process import ManagerProcess
from tests.manager.test_sessions import run


@pytest.fixture(params=[True, False], ids=["v1", "legacy"])
def v1(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


WAIT = """
import time
try:
    print("waits", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    pass
"""


def lose(client: SocketClient, http: httpx.Client, session: str) -> None:
    """The connection breaks, and only then the cell goes on that waits."""
    client.vanish()
    while http.get(session).json()["clients"]:
        continue
    http.post(f"{session}/interrupt")


def replayed(messages: list[Wire]) -> list[Wire]:
    return [message for message in messages if message["metadata"].get("replayed")]


def test_what_ran_before_is_replayed_and_marked(
    http: httpx.Client, manager: ManagerProcess, session: str, kernel_id: str, v1: bool
) -> None:
    run(http, session, "print('hello'); 6 * 7")
    run(http, session, "1 / 0")
    with SocketClient(manager.url, kernel_id, v1=v1) as client:
        messages = client.execute("print('now')")
    before = replayed(messages)
    assert messages[: len(before)] == before
    assert [kind_of(message) for message in before] == [
        "execute_input", "stream", "execute_result", "execute_input", "error",
    ]  # fmt: skip
    assert text_of(before) == "hello\n"
    assert text_of(messages[len(before) :]) == "now\n"
    assert {message["parent_header"]["session"] for message in before} != {client.client_id}


def test_the_replay_may_be_left_out(
    http: httpx.Client, manager: ManagerProcess, session: str, kernel_id: str
) -> None:
    run(http, session, "print('hello')")
    with SocketClient(manager.url, kernel_id, query="&replay=0") as client:
        assert replayed(client.execute("1")) == []


def test_a_cell_that_runs_while_one_comes_is_seen_whole(
    http: httpx.Client, manager: ManagerProcess, session: str, kernel_id: str
) -> None:
    with SocketClient(manager.url, kernel_id) as first:
        first.send("execute_request", {"code": "print(1); input(); print(2)", "allow_stdin": True})
        first.until(lambda message: message["channel"] == "stdin")
        with SocketClient(manager.url, kernel_id) as second:
            second.until(lambda message: kind_of(message) == "stream")
            first.send("input_reply", {"value": ""}, "stdin")
            (ending,) = [m for m in second.until(is_idle) if kind_of(m) == "stream"]
    assert ending["content"]["text"] == "2\n"
    assert "replayed" not in ending["metadata"]


def test_a_client_is_not_told_again_what_it_did_itself(
    manager: ManagerProcess, kernel_id: str
) -> None:
    with SocketClient(manager.url, kernel_id) as client:
        client.execute("print('mine')")
    with SocketClient(manager.url, kernel_id, client_id=client.client_id) as again:
        assert text_of(again.execute("print('more')")) == "more\n"
    with SocketClient(manager.url, kernel_id) as another:
        assert text_of(replayed(another.execute("1"))) == "mine\nmore\n"


def test_a_client_that_was_lost_gets_what_it_missed(
    http: httpx.Client, manager: ManagerProcess, session: str, kernel_id: str, v1: bool
) -> None:
    client = SocketClient(manager.url, kernel_id, v1=v1)
    cell = client.send("execute_request", {"code": f"{WAIT}print('late')"})
    client.until(lambda message: kind_of(message) == "stream")
    lose(client, http, session)
    run(http, session, "print('of another')")
    with SocketClient(manager.url, kernel_id, v1=v1, client_id=client.client_id) as again:
        left = {"execute_reply", "status"}
        missed: list[Wire] = []
        while left:
            missed.append(again.receive())
            if missed[-1]["parent_header"].get("msg_id") == cell:
                left.discard(kind_of(missed[-1]))
        assert text_of(missed).startswith("late\n")
        assert replayed(missed) == []
        again.execute("1")


def test_a_question_waits_for_a_client_that_was_lost(
    http: httpx.Client, manager: ManagerProcess, session: str, kernel_id: str
) -> None:
    client = SocketClient(manager.url, kernel_id)
    code = f"{WAIT}print(input('who? '))"
    client.send("execute_request", {"code": code, "allow_stdin": True})
    client.until(lambda message: kind_of(message) == "stream")
    lose(client, http, session)
    with SocketClient(manager.url, kernel_id, client_id=client.client_id) as again:
        again.until(lambda message: message["channel"] == "stdin")
        again.send("input_reply", {"value": "me"}, "stdin")
        assert text_of(again.until(is_idle)) == "me\n"


def test_a_question_to_a_client_that_leaves_is_withdrawn(
    http: httpx.Client, manager: ManagerProcess, session: str, kernel_id: str
) -> None:
    with SocketClient(manager.url, kernel_id) as watcher:
        with SocketClient(manager.url, kernel_id) as client:
            client.send("execute_request", {"code": "input('who? ')", "allow_stdin": True})
            client.until(lambda message: message["channel"] == "stdin")
        error = watcher.until(lambda message: kind_of(message) == "error")[-1]
    assert error["content"]["ename"] == "KeyboardInterrupt"
    assert run(http, session, "1")["status"] == "ok"


def test_a_client_that_connects_anew_takes_the_place_of_its_old_socket(
    manager: ManagerProcess, kernel_id: str
) -> None:
    with SocketClient(manager.url, kernel_id) as old:
        old.execute("1")
        with SocketClient(manager.url, kernel_id, client_id=old.client_id) as new:
            assert old.closing() == (1001, "this client has connected anew")
            assert text_of(new.execute("print(1)")) == "1\n"
