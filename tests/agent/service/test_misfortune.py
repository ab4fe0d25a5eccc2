"""What the service works with dies, fails, or was never there: it says so, and goes on."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from rlm_kernel.testing import Failure, ScriptedModelServer
from tests.agent.runs import code
from tests.agent.service.process import KEY, AgentProcess
from tests.agent.service.scripted import Oracle, in_turn
from tests.agent.service.test_infer import infer, steps_of
from tests.agent.service.test_runs import active, names_of, wait_for
from tests.manager.process import ManagerProcess


@pytest.fixture
def client(agent: AgentProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=agent.url, trust_env=False, timeout=100) as http:
        yield http


def test_a_manager_that_dies_fails_the_run_and_is_found_again(oracle: Oracle) -> None:
    oracle.replies["until-it-dies"] = in_turn(code("while True: pass"))
    with (
        ManagerProcess() as manager,
        AgentProcess(manager.url, oracle.base_url) as agent,
        httpx.Client(base_url=agent.url, trust_env=False, timeout=100) as http,
        ThreadPoolExecutor(1) as pool,
    ):
        wait_for(lambda: http.get("/ready").status_code == 200)
        running = pool.submit(http.post, "/infer", json={"query": "until-it-dies"})
        wait_for(lambda: bool(active(http)))
        [run] = active(http)
        wait_for(lambda: "code_started" in names_of(http, run["run_id"]))
        manager.stop(signal.SIGKILL)
        answer = running.result()
        assert answer.status_code in (502, 503)
        assert answer.json()["error"]["code"] in ("session_failed", "sandbox_unavailable")
        assert answer.json()["usage"]["calls"] == 1
        assert http.get("/health").status_code == 200
        wait_for(lambda: http.get("/ready").status_code == 503)
        assert "no answer from" in http.get("/ready").json()["error"]["message"]
        assert http.get("/metrics/manager").status_code == 503
        port = manager.url.rpartition(":")[2]
        with ManagerProcess("--port", port):
            wait_for(lambda: http.get("/ready").status_code == 200)
            assert infer(http, query="is it back?")["answer"] == "yes"


def test_a_service_without_a_model_is_alive_but_not_ready(oracle: Oracle) -> None:
    environment = {"RLM_KERNEL_MODEL": ""}
    with (
        AgentProcess("http://127.0.0.1:9", oracle.base_url, environment=environment) as agent,
        httpx.Client(base_url=agent.url, trust_env=False, timeout=100) as http,
    ):
        assert http.get("/health").json()["status"] == "alive"
        for answer in (http.get("/ready"), http.post("/infer", json={"query": "x"})):
            assert answer.status_code == 503
            assert "set RLM_KERNEL_MODEL or MODEL_PATH" in answer.json()["error"]["message"]
        assert http.get("/v1/models").json()["data"] == []


def test_a_model_that_fails_is_a_502_that_tells_no_key(
    client: httpx.Client, agent: AgentProcess, oracle: Oracle
) -> None:
    oracle.replies["indiscreet"] = in_turn(Failure(401, f"wrong key {KEY}, Bearer {KEY}"))
    answer = client.post("/infer", json={"query": "indiscreet"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "model_failed")
    steps = str(steps_of(client, query="indiscreet"))
    kept = client.get(f"/runs/{answer.json()['run_id']}").text
    for text in (answer.text, steps, kept, agent.log()):
        assert KEY not in text
    assert "wrong key [secret]" in answer.text


def test_a_model_that_is_gone_is_a_502(manager: ManagerProcess, oracle: Oracle) -> None:
    with ScriptedModelServer() as gone:
        url = gone.base_url
    environment = {"RLM_KERNEL_DIRECT_CHARACTERS": "100"}
    with (
        AgentProcess(manager.url, url, environment=environment) as agent,
        httpx.Client(base_url=agent.url, trust_env=False, timeout=100) as http,
    ):
        answer = http.post("/infer", json={"query": "anybody?"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "model_unavailable")


def test_a_manager_that_asks_for_another_token_is_not_our_clients_fault(oracle: Oracle) -> None:
    with (
        ManagerProcess(environment={"RLM_KERNEL_TOKEN": "of-the-manager"}) as manager,
        AgentProcess(manager.url, oracle.base_url) as agent,
        httpx.Client(base_url=agent.url, trust_env=False, timeout=100) as http,
    ):
        assert "send the token" in http.get("/ready").json()["error"]["message"]
        answer = http.post("/infer", json={"query": "may I?"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (502, "session_failed")


def test_a_run_that_takes_too_long_ends_with_its_best_answer(
    client: httpx.Client, oracle: Oracle
) -> None:
    oracle.replies["slow-coach"] = in_turn(code("import time; time.sleep(60)"))
    answer = client.post("/infer", json={"query": "slow-coach", "budget": {"seconds": 2}})
    fault = answer.json()
    assert (answer.status_code, fault["error"]["code"]) == (422, "time_limit_exceeded")
    assert fault["usage"]["seconds"] >= 2
    assert 'runs_total{outcome="limited"}' in client.get("/metrics").text
