"""What the service counts."""

from __future__ import annotations

import re

import httpx

from rlm_kernel.testing import Failure, Reply
from tests.agent.runs import code
from tests.agent.service.scripted import Oracle, in_turn
from tests.agent.service.test_infer import infer

LABEL = '{model="openai/scripted"}'


def counts(http: httpx.Client) -> dict[str, float]:
    text = http.get("/metrics").text
    return {
        name: float(value)
        for name, value in re.findall(r"^rlm_kernel_agent_(\S+) (\S+)", text, re.M)
    }


def test_runs_and_what_they_took_are_counted(http: httpx.Client, oracle: Oracle) -> None:
    oracle.replies["to-be-counted"] = in_turn(
        Reply("```python\nx = 1\n```", input_tokens=100, output_tokens=10),
        Reply("FINAL(1)", input_tokens=200, output_tokens=20),
    )
    oracle.replies["to-be-failed"] = in_turn(Failure(400, "no"))
    before = counts(http)
    infer(http, query="to-be-counted")
    http.post("/infer", json={"query": "to-be-failed"})
    after = counts(http)
    grown = {name: after[name] - before.get(name, 0) for name in after}
    assert grown['runs_total{outcome="answered"}'] == 1
    assert grown['runs_total{outcome="model_failed"}'] == 1
    assert grown["run_seconds_count"] == 2
    assert grown[f"model_calls_total{LABEL}"] == 3
    assert grown[f"model_calls_failed_total{LABEL}"] == 1
    assert grown['tokens_total{direction="in",model="openai/scripted"}'] == 300
    assert grown['tokens_total{direction="out",model="openai/scripted"}'] == 30
    assert after["runs_active"] == 0


def test_no_label_holds_an_id_or_what_a_request_made_up(http: httpx.Client, oracle: Oracle) -> None:
    run = infer(http, query="whose id is secret")["run_id"]
    http.get(f"/runs/{run}")
    http.get("/made-up-by-me")
    text = http.get("/metrics").text
    assert run not in text
    assert "made-up-by-me" not in text
    assert 'route="/runs/{run_id}"' in text


def test_the_managers_counts_come_through_the_service(http: httpx.Client, oracle: Oracle) -> None:
    oracle.replies["some-cell"] = in_turn(code("FINAL(1)"))
    infer(http, query="some-cell")
    text = http.get("/metrics/manager").text
    assert re.search(r'rlm_kernel_executions_total\{status="ok"\} [1-9]', text)
    assert "rlm_kernel_agent" not in text
