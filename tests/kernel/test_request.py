"""The one line of requests: its order, and who is aborted when a cell fails."""

from __future__ import annotations

import asyncio

import pytest

from rlm_kernel.kernel.message import Mint
from rlm_kernel.kernel.request import REMEMBERED_ORIGINS, Origin, Origins, Request, RequestLine
from rlm_kernel.sandbox import Event
from tests.kernel.conftest import Served
from tests.kernel.peer import Peer
from tests.kernel.recording import RecordingClient

FAIL = "input()\nraise ValueError"


def _fail(served: Served, peer: Peer, waiting: int) -> None:
    """Has the running cell fail once so many requests wait behind it."""
    served.await_waiting(waiting)
    peer.client.input("")


def test_a_failed_cell_aborts_the_waiting_cells_of_its_client(served: Served, peer: Peer) -> None:
    sent = [peer.start(FAIL, allow_stdin=True), peer.start("print(1)"), peer.start("print(2)")]
    peer.next_question()
    _fail(served, peer, waiting=2)
    done = [peer.finish(message_id) for message_id in sent]
    assert [d.content["status"] for d in done] == ["error", "aborted", "aborted"]
    assert [d.kinds() for d in done[1:]] == [["status", "status"]] * 2
    assert peer.execute("print(3)").text() == "3\n"


def test_a_failed_cell_aborts_nothing_when_asked_not_to(served: Served, peer: Peer) -> None:
    sent = [peer.start(FAIL, allow_stdin=True, stop_on_error=False), peer.start("print(1)")]
    peer.next_question()
    _fail(served, peer, waiting=1)
    done = [peer.finish(message_id) for message_id in sent]
    assert [d.content["status"] for d in done] == ["error", "ok"]


def test_only_waiting_cells_are_aborted(served: Served, peer: Peer) -> None:
    failing = peer.start(FAIL, allow_stdin=True)
    asking = peer.send("is_complete_request", {"code": "1"})
    peer.next_question()
    _fail(served, peer, waiting=1)
    assert peer.finish(failing).content["status"] == "error"
    assert peer.finish(asking).content["status"] == "complete"


def test_a_failed_cell_aborts_nothing_of_other_clients(served: Served, peer: Peer) -> None:
    with Peer(served.connection) as other:
        peer.start(FAIL, allow_stdin=True)
        peer.next_question()
        theirs, mine = other.start("'theirs'"), peer.start("'mine'")
        _fail(served, peer, waiting=2)
        assert other.finish(theirs).content["status"] == "ok"
        peer.next_reply()
        assert peer.reply(mine)["content"] == {"status": "aborted"}


def test_cells_of_all_clients_run_in_the_order_in_which_they_came(served: Served) -> None:
    with Peer(served.connection) as first, Peer(served.connection) as second:
        blocker = first.start("order = []\nprint('go')\norder.append(input())", allow_stdin=True)
        second.await_text("go")
        sent = []
        for number in range(3):
            for peer in (first, second):
                sent.append((peer, peer.start(f"order.append({number})")))
                served.await_waiting(len(sent))
        first.next_question()
        first.client.input("start")
        first.finish(blocker)
        for peer, message_id in sent:
            peer.finish(message_id)
        done = first.execute("order")
    assert done.contents("execute_result")[0]["data"]["text/plain"] == (
        "['start', 0, 0, 1, 1, 2, 2]"
    )


def test_the_oldest_origins_are_forgotten_of_requests_that_have_ended() -> None:
    origins = Origins(limit=2)
    client, header = RecordingClient(), Mint().header("execute_request")
    ids = [origins.add(Origin(header, client)) for _ in range(5)]
    for request_id in ids[1:4]:
        origins.end(request_id)
    known = [origins.get(request_id) is not None for request_id in ids]
    assert known == [True, False, True, True, True]


def test_a_running_cell_keeps_its_output_whatever_else_is_asked(served: Served) -> None:
    kernel, texts = served.kernel, list[str]()

    def observe(event: Event) -> None:
        if event.kind == "stream":
            texts.append(event.content["text"])
        if texts == ["before\n"]:
            for _ in range(REMEMBERED_ORIGINS + 1):
                message = kernel.mint.message("kernel_info_request", {})
                kernel.handle("control", message, RecordingClient())
            kernel.interrupt()

    code = "try:\n    print('before')\n    while True: pass\n" + (
        "except KeyboardInterrupt:\n    print('after')"
    )
    served.loop.run(kernel.execute(code, observe=observe))
    assert texts == ["before\n", "after\n"]


def test_a_request_that_breaks_its_server_does_not_hold_up_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story() -> list[str]:
        served = []

        async def serve(request: Request) -> None:
            served.append(request.id)
            if request.id == "1":
                raise RuntimeError("broken")

        line, message = RequestLine(serve), Mint().message("execute_request", {})
        for number in ("1", "2"):
            line.put(Request(number, "shell", message, RecordingClient()))
        await line.wait_empty()
        return served

    assert asyncio.run(story()) == ["1", "2"]
    assert "a request was not answered" in caplog.text
