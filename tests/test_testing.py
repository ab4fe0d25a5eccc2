"""The scripted model server does what tests of the agent rely on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from rlm_kernel.testing import (
    ChatRequest,
    Delayed,
    Failure,
    Reply,
    Script,
    ScriptedModelServer,
    Stall,
)

QUESTION = {"model": "scripted", "messages": [{"role": "user", "content": "two words"}]}


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, timeout=10) as client:
        yield client


def ask(client: httpx.Client, server: ScriptedModelServer, body: Any = QUESTION) -> httpx.Response:
    return client.post(f"{server.base_url}/chat/completions", json=body)


def text_of(response: httpx.Response) -> str:
    return str(response.json()["choices"][0]["message"]["content"])


def test_replies_come_in_order(client: httpx.Client) -> None:
    with ScriptedModelServer(["first", Reply("second")]) as server:
        assert [text_of(ask(client, server)), text_of(ask(client, server))] == ["first", "second"]


def test_a_callable_makes_each_reply_from_its_request(client: httpx.Client) -> None:
    def echo(request: ChatRequest) -> str:
        return f"{request.index}: {request.last}"

    with ScriptedModelServer(echo) as server:
        ask(client, server)
        assert text_of(ask(client, server)) == "1: two words"


def test_usage_counts_words_unless_told_otherwise(client: httpx.Client) -> None:
    with ScriptedModelServer(["a b c", Reply("a", input_tokens=70, output_tokens=7)]) as server:
        counted, told = ask(client, server).json(), ask(client, server).json()
    assert counted["usage"] == {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}
    assert told["usage"] == {"prompt_tokens": 70, "completion_tokens": 7, "total_tokens": 77}


def test_requests_are_kept_with_their_headers(client: httpx.Client) -> None:
    with ScriptedModelServer(["ok"]) as server:
        client.headers["Authorization"] = "Bearer secret"
        ask(client, server)
        (request,) = server.requests
    assert request.body == QUESTION
    assert request.headers["Authorization"] == "Bearer secret"


def test_a_failure_has_its_status_and_message(client: httpx.Client) -> None:
    with ScriptedModelServer([Failure(429, "slow down", retry_after=2.5)]) as server:
        response = ask(client, server)
    assert response.status_code == 429
    assert response.json()["error"]["message"] == "slow down"
    assert response.headers["Retry-After"] == "2.5"


def test_a_delayed_reply_holds_up_nobody_else(client: httpx.Client) -> None:
    with ScriptedModelServer([Delayed("late", 0.2), "at once"]) as server:
        late: list[str] = []
        thread = threading.Thread(target=lambda: late.append(text_of(ask(client, server))))
        thread.start()
        server.wait_for_requests(1)
        with httpx.Client(trust_env=False, timeout=10) as other:
            assert text_of(ask(other, server)) == "at once"
        thread.join()
        assert late == ["late"]


@pytest.mark.parametrize("script", [[], lambda request: 1 / 0], ids=["past the end", "raises"])
def test_a_script_that_cannot_answer_says_so_to_the_client(
    client: httpx.Client, script: Script
) -> None:
    with ScriptedModelServer(script) as server:
        response = ask(client, server)
    assert response.status_code == 400
    assert "script" in response.json()["error"]["message"]


def test_a_hang_up_on_a_stalled_request_is_noticed() -> None:
    with ScriptedModelServer([Stall()]) as server:
        timeout = httpx.Timeout(10, read=0.1)
        with (
            httpx.Client(trust_env=False, timeout=timeout) as client,
            pytest.raises(httpx.ReadTimeout),
        ):
            ask(client, server)
        server.wait_for_hangups(1)


def test_closing_ends_stalled_requests(client: httpx.Client) -> None:
    errors: list[httpx.HTTPError] = []

    def stalled() -> None:
        try:
            ask(client, server)
        except httpx.HTTPError as error:
            errors.append(error)

    server = ScriptedModelServer([Stall()])
    thread = threading.Thread(target=stalled)
    thread.start()
    server.wait_for_requests(1)
    server.close()
    thread.join()
    assert [type(error) for error in errors] == [httpx.RemoteProtocolError]


def test_closing_twice_is_fine_and_leaves_no_thread_behind() -> None:
    before = set(threading.enumerate())
    server = ScriptedModelServer()
    server.close()
    server.close()
    assert set(threading.enumerate()) <= before


def test_waiting_for_what_does_not_come_times_out() -> None:
    with ScriptedModelServer() as server, pytest.raises(TimeoutError, match="1 requests"):
        server.wait_for_requests(1, timeout=0.01)


@pytest.mark.parametrize("body", [b"{", b"[]"])
def test_a_body_that_is_no_json_object_is_refused(client: httpx.Client, body: bytes) -> None:
    with ScriptedModelServer(["never"]) as server:
        response = client.post(f"{server.base_url}/chat/completions", content=body)
        assert (response.status_code, server.requests) == (400, [])


def test_other_paths_are_not_found(client: httpx.Client) -> None:
    with ScriptedModelServer(["never"]) as server:
        response = client.post(f"{server.base_url}/embeddings", json=QUESTION)
        assert (response.status_code, server.requests) == (404, [])
