"""Short inputs go straight to the model, where the service is set up so or the request asks."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from rlm_kernel.testing import Failure, Stall
from tests.agent.service.process import AgentProcess
from tests.agent.service.scripted import Oracle, in_turn
from tests.agent.service.test_infer import infer, steps_of


@pytest.fixture(scope="module")
def router(oracle: Oracle) -> Iterator[httpx.Client]:
    """A service that sends short inputs to the model, and has no manager at all."""
    environment = {"RLM_KERNEL_DIRECT_CHARACTERS": "100"}
    nowhere = "http://127.0.0.1:9"
    with (
        AgentProcess(nowhere, oracle.base_url, environment=environment) as agent,
        httpx.Client(base_url=agent.url, trust_env=False, timeout=100) as http,
    ):
        yield http


def test_a_short_input_goes_to_the_model_and_is_marked(
    router: httpx.Client, oracle: Oracle
) -> None:
    oracle.replies["short-one"] = in_turn("it is short")
    answer = infer(router, query="short-one", context="a text")
    assert (answer["answer"], answer["source"], answer["direct"]) == ("it is short", "direct", True)
    assert (answer["usage"]["calls"], answer["turns"]) == (1, 1)
    assert oracle.requests[-1].messages == [{"role": "user", "content": "a text\n\nshort-one"}]


def test_a_long_input_takes_a_session(router: httpx.Client) -> None:
    answer = router.post("/infer", json={"query": "long-one", "context": "x" * 100})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "sandbox_unavailable")
    assert int(answer.headers["Retry-After"]) > 0


def test_a_request_may_decide_by_itself(router: httpx.Client, http: httpx.Client) -> None:
    refused = router.post("/infer", json={"query": "short", "direct": False})
    assert refused.json()["error"]["code"] == "sandbox_unavailable"
    assert infer(http, query="by the model alone", direct=True)["direct"] is True
    assert infer(http, query="short")["direct"] is False


def test_a_short_chat_goes_to_the_model_as_it_is(router: httpx.Client, oracle: Oracle) -> None:
    oracle.replies["chatting"] = in_turn("", "well")
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "chatting"},
        {"role": "assistant", "content": "So?"},
        {"role": "user", "content": "So."},
    ]
    answer = router.post("/v1/chat/completions", json={"model": "rlm", "messages": messages})
    assert answer.json()["choices"][0]["message"]["content"] == "well"
    assert oracle.requests[-1].messages == messages


def test_its_steps_are_told_too(router: httpx.Client) -> None:
    names = [name for name, _ in steps_of(router, query="short")]
    assert names == [
        *("run_started", "turn_started", "ledger_updated", "model_replied", "answer_given", "end"),
    ]


def test_what_fails_is_told_and_counted(router: httpx.Client, oracle: Oracle) -> None:
    oracle.replies["unwilling"] = in_turn(Failure(400, "no"))
    answer = router.post("/infer", json={"query": "unwilling"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "model_failed")
    assert answer.json()["usage"]["failed_calls"] == 1
    oracle.replies["dumb"] = in_turn(Stall())
    answer = router.post("/infer", json={"query": "dumb", "budget": {"seconds": 0.5}})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "time_limit_exceeded")
