"""Questions of running code: who is asked, and whose answer counts."""

from __future__ import annotations

import json
import logging

import pytest

from rlm_kernel.kernel.message import Mint
from rlm_kernel.kernel.questions import Questions
from rlm_kernel.kernel.request import Origin
from rlm_kernel.sandbox import Event
from tests.kernel.conftest import Served
from tests.kernel.peer import Peer
from tests.kernel.recording import RecordingClient, RecordingSession
from tests.sandbox.test_forgery import FORGE

HOST_CALL = "from rlm_kernel.guest import host\nhost.call('llm_query', {'prompt': 'hi'})"


def test_input_is_answered_by_the_client_that_executes(served: Served, peer: Peer) -> None:
    with Peer(served.connection) as other:
        running = other.start("name = input('who? '); name", allow_stdin=True)
        question = other.next_question()
        assert question["content"].items() >= {"prompt": "who? ", "password": False}.items()
        assert question["parent_header"]["msg_id"] == running
        peer.client.input("the wrong one")
        other.client.input("Ada")
        done = other.finish(running)
    assert done.contents("execute_result")[0]["data"]["text/plain"] == "'Ada'"


def test_a_password_is_asked_for_as_one(peer: Peer) -> None:
    running = peer.start("import getpass; getpass.getpass('key: ')", allow_stdin=True)
    question = peer.next_question()["content"]
    assert question.items() >= {"prompt": "key: ", "password": True}.items()
    peer.client.input("s3cret")
    done = peer.finish(running)
    assert done.contents("execute_result")[0]["data"]["text/plain"] == "'s3cret'"


@pytest.mark.parametrize("code", ["input()", HOST_CALL])
def test_a_client_that_answers_no_questions_is_asked_none(peer: Peer, code: str) -> None:
    done = peer.execute(code, allow_stdin=False)
    assert done.content["ename"] == "StdinNotImplementedError"


def test_a_host_call_carries_its_name_and_arguments_to_the_client(peer: Peer) -> None:
    running = peer.start(HOST_CALL, allow_stdin=True)
    content = peer.next_question()["content"]
    assert content["host_call"] == {"name": "llm_query", "args": {"prompt": "hi"}}
    assert "llm_query" in content["prompt"]
    peer.client.input(json.dumps({"ok": {"answer": 42}}))
    done = peer.finish(running)
    assert done.contents("execute_result")[0]["data"]["text/plain"] == "{'answer': 42}"


def test_a_waiting_question_is_ended_by_an_interrupt(peer: Peer) -> None:
    running = peer.start("input('forever? ')", allow_stdin=True)
    peer.next_question()
    peer.send("interrupt_request", {}, "control")
    assert peer.finish(running).content["ename"] == "KeyboardInterrupt"
    peer.client.input("too late")
    again = peer.start("input('again? ')", allow_stdin=True)
    peer.next_question()
    peer.client.input("in time")
    done = peer.finish(again)
    assert done.contents("execute_result")[0]["data"]["text/plain"] == "'in time'"


def test_a_client_without_a_stdin_channel_does_not_block_the_session(served: Served) -> None:
    with Peer(served.connection, stdin=False) as peer:
        done = peer.finish(peer.start(HOST_CALL, allow_stdin=True))
        assert done.content["ename"] == "HostCallError"
        assert peer.execute("1").content["status"] == "ok"


def test_rest_callers_answer_no_questions(served: Served) -> None:
    result = served.loop.run(served.kernel.execute("input()"))
    assert result.error is not None
    assert result.error.ename == "StdinNotImplementedError"


def test_an_answer_that_names_another_question_is_dropped() -> None:
    session, client, mint = RecordingSession(), RecordingClient(), Mint()
    questions = Questions(session, mint)
    questions.ask(Event("input_request", "1", {"prompt": "?"}), Origin({}, client))
    _, question = client.sent[0]
    stale = mint.message("input_reply", {"value": "old"}, mint.header("input_request"))
    questions.answer(stale, client)
    assert session.answers == []
    questions.answer(mint.message("input_reply", {"value": "new"}, question.header), client)
    assert session.answers == ["new"]


def test_an_answer_that_is_not_a_string_leaves_the_question_open() -> None:
    session, client, mint = RecordingSession(), RecordingClient(), Mint()
    questions = Questions(session, mint)
    questions.ask(Event("input_request", "1", {"prompt": "?"}), Origin({}, client))
    questions.answer(mint.message("input_reply", {"value": 3}), client)
    assert session.answers == []
    questions.answer(mint.message("input_reply", {"value": "3"}), client)
    assert session.answers == ["3"]


def test_an_answer_is_for_the_question_that_was_asked() -> None:
    session, client, mint = RecordingSession(), RecordingClient(), Mint()
    questions = Questions(session, mint)
    questions.ask(Event("input_request", "1", {"prompt": "?", "question": 7}), Origin({}, client))
    questions.answer(mint.message("input_reply", {"value": "yes"}), client)
    assert (session.answers, session.answered) == (["yes"], [7])


def test_a_question_that_reaches_nobody_is_refused_and_told_of_once_for_its_request(
    caplog: pytest.LogCaptureFixture,
) -> None:
    session = RecordingSession()
    questions = Questions(session, Mint())
    with caplog.at_level(logging.INFO):
        for request in ("1", "1", "1", "2"):
            questions.ask(Event("input_request", request, {"prompt": "?"}), None)
    assert [error["ename"] for error in session.refusals] == ["StdinNotImplementedError"] * 4
    assert len(caplog.records) == 2


@pytest.mark.parametrize(
    ("code", "ename"), [(HOST_CALL, "HostCallError"), ("input()", "KeyboardInterrupt")]
)
def test_code_that_asks_although_nobody_can_be_asked_fails(
    served: Served, code: str, ename: str
) -> None:
    unasked = "from rlm_kernel.guest.asking import stdin_allowed\nstdin_allowed.set(True)\n"
    result = served.loop.run(served.kernel.execute(unasked + code))
    assert result.error is not None
    assert (result.error.ename, result.state) == (ename, "kept")


def test_questions_that_nobody_answers_are_held_to_a_limit(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[str] = []
    refuse = served.session.refuse_input

    def count(error: dict[str, str], question: object = None) -> None:
        refused.append(error["ename"])
        refuse(error, question)

    monkeypatch.setattr(served.session, "refuse_input", count)
    question = "{'prompt': 'x' * 1_000_000, 'password': False, 'host_call': {}}"
    flood = f"{FORGE}for n in range(40): forge('input_request', me, {question})"
    served.loop.run(served.kernel.execute(flood))
    assert 0 < len(refused) < 20
