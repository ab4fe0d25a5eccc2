"""`POST /infer`: a question about a context in, its answer out, over real processes."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import httpx
import pytest

from rlm_kernel.http.events import EventDecoder
from tests.agent.runs import code
from tests.agent.service.process import AgentProcess
from tests.agent.service.scripted import Oracle, in_turn

STREAM = {"Accept": "text/event-stream"}


def infer(http: httpx.Client, **request: Any) -> dict[str, Any]:
    answer = http.post("/infer", json=request)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


def steps_of(http: httpx.Client, **request: Any) -> list[tuple[str, dict[str, Any]]]:
    """The events of a stream."""
    decoder, steps = EventDecoder(), []
    with http.stream("POST", "/infer", json=request, headers=STREAM) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        for data in answer.iter_bytes():
            steps += [(name, json.loads(content)) for name, content in decoder.feed(data)]
    return steps


def test_the_answer_comes_with_what_it_took(http: httpx.Client, oracle: Oracle) -> None:
    oracle.replies["how-many-lines"] = in_turn(
        code("n = len(context.splitlines())\nprint(n)"), "FINAL_VAR(n)"
    )
    answer = infer(http, context="a\nb\nc", query="how-many-lines?")
    assert (answer["answer"], answer["source"], answer["turns"]) == ("3", "FINAL_VAR", 2)
    assert (answer["forced"], answer["direct"]) == (False, False)
    assert answer["model"] == "openai/scripted"
    usage = answer["usage"]
    assert (usage["calls"], usage["turns"]) == (2, 2)
    assert usage["input_tokens"] == usage["models"]["openai/scripted"]["input_tokens"] > 0


def test_the_steps_come_as_they_happen(http: httpx.Client, oracle: Oracle) -> None:
    oracle.replies["step-by-step"] = in_turn(
        code("print('seen', llm_query('a question below'))"), "FINAL(done)"
    )
    steps = steps_of(http, context="text", query="step-by-step")
    names = [name for name, _ in steps if name != "ledger_updated"]
    assert names == [
        *("run_started", "session_opened", "turn_started", "model_replied", "code_started"),
        *("sub_call_started", "sub_call_finished", "output_written", "code_finished"),
        *("turn_started", "model_replied", "answer_given", "end"),
    ]
    by_name = dict(steps)
    assert by_name["output_written"]["text"] == "seen FINAL(yes)\n"
    assert by_name["sub_call_started"]["prompt"] == "a question below"
    assert (by_name["end"]["answer"], by_name["end"]["turns"]) == ("done", 2)


def test_curl_needs_no_content_type(agent: AgentProcess) -> None:
    done = subprocess.run(
        ["curl", "-s", f"{agent.url}/infer", "-d", '{"context": "x", "query": "is it?"}'],
        capture_output=True,
        check=True,
        timeout=100,
    )
    assert json.loads(done.stdout)["answer"] == "yes"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{", "Invalid JSON"),
        ("[]", "an object"),
        ("{}", "query: Field required"),
        ('{"query": ""}', "query: String should have at least 1 character"),
        ('{"query": "q", "unknown": 1}', "unknown: Extra inputs"),
        ('{"query": "q", "max_depth": 3}', "max_depth: at most 2"),
        ('{"query": "q", "max_iterations": 51}', "max_iterations: at most 50"),
        ('{"query": "q", "budget": {"tokens": 0}}', "budget: tokens"),
        ('{"query": "q", "context": {"a": 1}, "direct": true}', "direct: the context"),
        ('{"query": "q", "answer_schema": {"type": "none"}}', "answer_schema: "),
        ('{"query": "q", "answer_schema": {"$ref": "http://x/"}}', "nothing is fetched"),
        ('{"query": "q", "model": "openai/gpt-5"}', "'openai/gpt-5' is none of openai/scripted"),
    ],
)
def test_what_is_wrong_with_a_request_is_said(http: httpx.Client, body: str, said: str) -> None:
    answer = http.post("/infer", content=body)
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]


def test_a_context_may_be_any_json(http: httpx.Client, oracle: Oracle) -> None:
    oracle.replies["sum-of-all"] = in_turn(code("FINAL(sum(context['numbers']))"))
    answer = infer(http, context={"numbers": [1, 2, 3]}, query="sum-of-all")
    assert answer["answer"] == "6"


NUMBERS = {"type": "array", "items": {"type": "integer"}}


def test_an_answer_may_be_of_a_schema(http: httpx.Client, oracle: Oracle) -> None:
    oracle.replies["all-the-squares"] = in_turn(
        code("FINAL([n * n for n in context] + ['none'])"), code("FINAL([n * n for n in context])")
    )
    request = {"context": [1, 2, 3], "query": "all-the-squares", "answer_schema": NUMBERS}
    answer = infer(http, **request)
    assert (answer["value"], answer["turns"]) == ([1, 4, 9], 2)
    assert infer(http, query="no schema")["value"] == "yes"


def test_an_answer_that_is_never_of_the_schema_is_a_422(http: httpx.Client, oracle: Oracle) -> None:
    oracle.replies["no-number-at-all"] = in_turn("FINAL(none)")
    request = {"query": "no-number-at-all", "answer_schema": NUMBERS, "max_iterations": 2}
    answer = http.post("/infer", json=request)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "answer_mismatch")
