"""The description of the service's interface: well formed, complete, and true."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from openapi_spec_validator import validate

from rlm_kernel.agent.manager_process import ManagerProcess
from rlm_kernel.agent.service.application import ROUTES
from rlm_kernel.agent.service.interface import INTERFACE
from rlm_kernel.http.events import EventDecoder
from rlm_kernel.testing import Failure, Stall
from tests.agent.runs import code
from tests.agent.service.process import AgentProcess
from tests.agent.service.scripted import Oracle, in_turn
from tests.agent.service.test_infer import STREAM
from tests.agent.service.test_runs import active, asked, wait_for
from tests.manager.description import Description
from tests.manager.test_openapi import methods_of, operations

OURS = ("/infer", "/v1", "/runs", "/health", "/ready", "/metrics", "/openapi.json", "/page")
UNPROVOKED = {408, 431, 500}
"""Answers to trouble that other tests make, or that there should never be."""


@pytest.fixture(scope="module")
def described(
    manager: ManagerProcess, oracle: Oracle
) -> Iterator[tuple[AgentProcess, Description]]:
    """A service of its own, with room for one run and a small body."""
    environment = {
        "RLM_KERNEL_TOKEN": manager.token,
        "RLM_KERNEL_MAX_RUNS": "1",
        "RLM_KERNEL_AGENT_MAX_BODY_BYTES": "65536",
    }
    with AgentProcess(manager.url, oracle.base_url, environment=environment) as agent:
        document = httpx.get(f"{agent.url}/openapi.json", trust_env=False).json()
        yield agent, Description(document, OURS)


def test_the_description_is_of_openapis_form(described: tuple[AgentProcess, Description]) -> None:
    _, description = described
    validate(description.document)
    found = list(operations(description))
    routes = {(m, INTERFACE.template(pattern)) for pattern, h in ROUTES for m in methods_of(h)}
    assert {(method, path) for method, path, _ in found} == routes
    names = [operation["operationId"] for _, _, operation in found]
    assert len(names) == len(set(names))


def test_each_answer_is_as_it_is_described(
    described: tuple[AgentProcess, Description], oracle: Oracle
) -> None:
    agent, description = described
    with httpx.Client(base_url=agent.url, trust_env=False, timeout=100) as http:
        http.event_hooks["response"] = [description.check]
        drive(http, agent, oracle)
    locked = {"RLM_KERNEL_AGENT_TOKEN": "secret"}
    with (
        AgentProcess("http://127.0.0.1:9", oracle.base_url, environment=locked) as other,
        httpx.Client(base_url=other.url, trust_env=False, timeout=100) as http,
    ):
        http.event_hooks["response"] = [description.check]
        refuse(http)
    for method, path, operation in operations(description):
        for status in operation["responses"]:
            if int(status) < 400:
                assert (method, path, int(status)) in description.seen
    told = {int(s) for _, _, operation in operations(description) for s in operation["responses"]}
    assert told - {status for _, _, status in description.seen} == UNPROVOKED


def drive(http: httpx.Client, agent: AgentProcess, oracle: Oracle) -> None:
    """Has every operation give each answer that a client can bring about."""
    for path in (
        "/",
        "/page/page.css",
        "/health",
        "/metrics",
        "/v1/models",
        "/runs",
        "/openapi.json",
    ):
        assert http.get(path).status_code == 200
    wait_for(lambda: http.get("/ready").status_code == 200)
    assert http.get("/metrics/manager").status_code == 200
    oracle.replies["described"] = in_turn(code("print(llm_query('sub'))"), "FINAL(yes)")
    answer = http.post("/infer", json={"query": "described"})
    run = f"/runs/{answer.json()['run_id']}"
    for ending in ("", ".ipynb", ".jsonl", ".json", ".txt"):
        assert http.get(run + ending).status_code == 200
    assert http.post("/infer", json={"query": "described", "direct": True}).status_code == 200
    assert http.post("/v1/chat/completions", json=chat("described")).status_code == 200
    fail(http, oracle)
    oracle.replies["occupying"] = in_turn(Stall())
    with asked(agent.url, {"query": "occupying"}):
        wait_for(lambda: bool(active(http)))
        assert http.post("/infer", json={"query": "x"}).status_code == 429
        [occupying] = active(http)
        assert http.delete(f"/runs/{occupying['run_id']}").status_code == 200
    wait_for(lambda: not active(http))
    assert http.delete(run).status_code == 204
    for method in ("GET", "DELETE"):
        assert http.request(method, run).status_code == 404
    assert http.get(f"{run}.ipynb").status_code == 404
    for path in ("/page/none.css", "/elsewhere"):
        assert http.get(path).status_code == 404
    assert http.get("/health", headers={"Origin": "http://evil.example"}).status_code == 403


def fail(http: httpx.Client, oracle: Oracle) -> None:
    oracle.replies["failing"] = in_turn(Failure(400, "no"))
    oracle.replies["too-slow"] = in_turn(Stall())
    for path, request in (
        ("/infer", {"query": "failing"}),
        ("/v1/chat/completions", chat("failing")),
    ):
        assert http.post(path, json=request).status_code == 502
        assert http.post(path, content="{}").status_code == 400
        assert http.post(path, content=bytes(70_000)).status_code == 413
    slow = {"query": "too-slow", "budget": {"seconds": 1}, "direct": True}
    assert http.post("/infer", json=slow).status_code == 422


def refuse(http: httpx.Client) -> None:
    for path in ("/runs", "/metrics", "/openapi.json"):
        assert http.get(path).status_code == 401
    http.headers["Authorization"] = "Bearer secret"
    assert http.post("/infer", json={"query": "x"}).status_code == 503
    assert http.get("/ready").status_code == 503
    assert http.get("/metrics/manager").status_code == 503
    for _ in range(61):
        answer = http.get("/runs", headers={"Authorization": "Bearer wrong"})
    assert answer.status_code == 429


def chat(text: str) -> dict[str, Any]:
    return {"model": "rlm", "messages": [{"role": "user", "content": text}]}


def test_streams_hold_what_the_description_says(
    described: tuple[AgentProcess, Description], oracle: Oracle
) -> None:
    agent, description = described
    oracle.replies["told"] = in_turn(
        code("print(llm_query('sub'))"), code("FINAL(rlm_query('sub', context=1))")
    )
    oracle.replies["unwell"] = in_turn(Failure(400, "no"))
    operation = description.document["paths"]["/infer"]["post"]
    events = operation["responses"]["200"]["content"]["text/event-stream"]["schema"]["x-events"]
    seen = set()
    for query in ("told", "unwell"):
        request = {"query": query, "max_depth": 2}
        answer = httpx.post(
            f"{agent.url}/infer", json=request, headers=STREAM, trust_env=False, timeout=100
        )
        for name, data in EventDecoder().feed(answer.content):
            description.validate(json.loads(data), events[name])
            seen.add(name)
    assert set(events) - seen <= {"ledger_updated"}
