"""The inference service with several managers: one that dies costs its runs and no more."""

from __future__ import annotations

import os
import signal

import httpx

from tests.agent.managers.conftest import TOKEN, running, sessions_of
from tests.agent.runs import code
from tests.agent.service.process import AgentProcess
from tests.agent.service.scripted import Oracle, in_turn


def test_the_service_goes_on_without_one_of_its_managers() -> None:
    with running({}, {}) as (first, second), Oracle() as oracle:
        oracle.replies["length"] = in_turn(code("n = len(context)"), "FINAL_VAR(n)")
        urls = f"{first.url},{second.url}"
        token = {"RLM_KERNEL_TOKEN": TOKEN}
        with (
            AgentProcess(urls, oracle.base_url, environment=token) as agent,
            httpx.Client(base_url=agent.url, trust_env=False, timeout=100) as http,
        ):
            question = {"context": "four", "query": "its length?"}
            assert http.get("/ready").status_code == 200
            assert http.post("/infer", json=question).json()["answer"] == "4"
            os.kill(first.pid, signal.SIGKILL)
            for _ in range(3):
                assert http.post("/infer", json=question).json()["answer"] == "4"
            assert http.get("/ready").status_code == 200
            assert sessions_of(second) == set()
            counts = http.get("/metrics/manager")
            assert (counts.status_code, counts.json()["error"]["code"]) == (404, "not_found")
            os.kill(second.pid, signal.SIGKILL)
            answer = http.post("/infer", json=question)
            assert (answer.status_code, answer.json()["error"]["code"]) == (
                503,
                "sandbox_unavailable",
            )
