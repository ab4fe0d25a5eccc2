"""Runs: as many as may go on, none whose client is gone, kept for a while after their end."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import nbformat
import pytest

from rlm_kernel.agent.manager_process import ManagerProcess
from rlm_kernel.agent.trajectory import Trajectory
from rlm_kernel.testing import Stall
from tests.agent.conftest import open_sessions
from tests.agent.runs import code
from tests.agent.service.process import AgentProcess
from tests.agent.service.scripted import Oracle, in_turn
from tests.agent.service.test_infer import STREAM, infer, steps_of


def wait_for(reached: Callable[[], bool]) -> None:
    """Returns when it is so; the test's own time limit is how long that may take."""
    while not reached():
        time.sleep(0.02)


def active(http: httpx.Client) -> list[dict[str, Any]]:
    return [run for run in http.get("/runs").json()["runs"] if run["status"] == "running"]


@contextmanager
def asked(url: str, request: dict[str, Any], accept: str = "*/*") -> Iterator[socket.socket]:
    """A connection with a question on it; leaving hangs up."""
    address, data = urlsplit(url), json.dumps(request)
    with socket.create_connection((address.hostname, address.port)) as client:
        head = f"POST /infer HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n"
        client.sendall(f"{head}Content-Length: {len(data)}\r\n\r\n{data}".encode())
        yield client


@pytest.fixture
def small(manager: ManagerProcess, oracle: Oracle) -> Iterator[AgentProcess]:
    """A service that has room for one run."""
    environment = {
        "RLM_KERNEL_TOKEN": manager.token,
        "RLM_KERNEL_MAX_RUNS": "1",
        "RLM_KERNEL_KEPT_RUNS": "2",
        "RLM_KERNEL_AGENT_DRAIN_SECONDS": "30",
    }
    with AgentProcess(manager.url, oracle.base_url, environment=environment) as process:
        yield process


@pytest.mark.parametrize("accept", ["*/*", "text/event-stream"])
@pytest.mark.parametrize("stalled", ["cell", "model"])
def test_a_client_that_hangs_up_ends_its_run_and_leaves_no_session(
    http: httpx.Client, agent: AgentProcess, manager: ManagerProcess, oracle: Oracle,
    accept: str, stalled: str,
) -> None:  # fmt: skip
    oracle.replies[f"for-ever-{stalled}"] = {
        "cell": in_turn(code("while True: pass")),
        "model": in_turn(code("x = 1"), Stall()),
    }[stalled]
    with asked(agent.url, {"query": f"for-ever-{stalled}"}, accept):
        wait_for(lambda: bool(active(http)))
        [run] = active(http)
        wait_for(lambda: "code_started" in names_of(http, run["run_id"]))
    wait_for(lambda: not active(http))
    assert http.get(f"/runs/{run['run_id']}").json()["status"] == "cancelled"
    assert asyncio.run(open_sessions(manager)) == []


def names_of(http: httpx.Client, run_id: str) -> list[str]:
    return [step["event"] for step in http.get(f"/runs/{run_id}").json()["steps"]]


def test_a_run_beyond_the_limit_is_told_when_to_come_again(
    small: AgentProcess, oracle: Oracle
) -> None:
    oracle.replies["occupied"] = in_turn(Stall())
    with httpx.Client(base_url=small.url, trust_env=False, timeout=100) as http:
        with asked(small.url, {"query": "occupied"}):
            wait_for(lambda: len(active(http)) == 1)
            answer = http.post("/infer", json={"query": "one more"})
            assert (answer.status_code, answer.json()["error"]["code"]) == (429, "too_many_runs")
            assert int(answer.headers["Retry-After"]) > 0
            chat = {"model": "rlm", "messages": [{"role": "user", "content": "x"}]}
            assert http.post("/v1/chat/completions", json=chat).status_code == 429
        wait_for(lambda: not active(http))
        assert infer(http, query="is there room again?")["answer"] == "yes"
        assert 'runs_refused_total{reason="too_many"} 2.0' in http.get("/metrics").text


def test_a_run_is_kept_with_its_steps_until_others_take_its_place(
    small: AgentProcess, oracle: Oracle
) -> None:
    with httpx.Client(base_url=small.url, trust_env=False, timeout=100) as http:
        first = infer(http, query="the first")
        details = http.get(f"/runs/{first['run_id']}").json()
        assert (details["status"], details["answer"]) == ("answered", first)
        assert details["steps"][0]["event"] == "run_started"
        assert details["steps"][-1] == {"event": "end", "data": first}
        later = [infer(http, query="another")["run_id"] for _ in range(2)]
        assert http.get(f"/runs/{first['run_id']}").json()["error"]["code"] == "run_not_found"
        assert [run["run_id"] for run in http.get("/runs").json()["runs"]] == later[::-1]
        assert http.delete(f"/runs/{later[0]}").status_code == 204
        assert http.get(f"/runs/{later[0]}").status_code == 404
        assert http.delete(f"/runs/{later[0]}").status_code == 404


def test_a_run_is_a_notebook_a_log_and_a_tree(http: httpx.Client, oracle: Oracle) -> None:
    oracle.replies["recorded-run"] = in_turn(
        code("print('seen:', llm_query('asked below'))"), "FINAL(recorded)"
    )
    run = infer(http, query="recorded-run", context="a text")["run_id"]
    made = nbformat.reads(http.get(f"/runs/{run}.ipynb").text, as_version=4)  # type: ignore[no-untyped-call]
    nbformat.validate(made)
    outputs = [each for cell in made.cells for each in cell.get("outputs", [])]
    assert "seen: FINAL(yes)\n" in [output.get("text") for output in outputs]
    lines = [json.loads(line) for line in http.get(f"/runs/{run}.jsonl").text.splitlines()]
    assert [line["type"] for line in lines] == ["metadata", "iteration", "iteration"]
    recorded = Trajectory.model_validate_json(http.get(f"/runs/{run}.json").content)
    assert recorded.root.answer is not None
    assert recorded.root.answer.text == "recorded"
    answer = http.get(f"/runs/{run}.txt")
    assert "recorded-run" in answer.text
    assert "attachment" in answer.headers["Content-Disposition"]
    for unknown in (f"/runs/{'0' * 32}.ipynb", f"/runs/{run}.html", "/runs/x.ipynb"):
        assert http.get(unknown).status_code == 404


@pytest.mark.parametrize("stalled", ["cell", "sub-call"])
def test_a_run_that_is_deleted_is_cancelled_and_those_who_watch_are_told(
    http: httpx.Client, manager: ManagerProcess, oracle: Oracle, stalled: str
) -> None:
    asked, reached = {
        "cell": ("while True: pass", "code_started"),
        "sub-call": ("llm_query('answered-never')", "sub_call_started"),
    }[stalled]
    oracle.replies["answered-never"] = in_turn(Stall())
    oracle.replies[f"deleted-in-a-{stalled}"] = in_turn(code(asked))
    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(steps_of, http, query=f"deleted-in-a-{stalled}")
        wait_for(lambda: bool(active(http)))
        [run] = active(http)
        path = f"/runs/{run['run_id']}"
        wait_for(lambda: reached in names_of(http, run["run_id"]))
        answer = http.delete(path)
        assert (answer.status_code, answer.json()) == (200, {**run, "status": "cancelled"})
        assert active(http) == []
        assert asyncio.run(open_sessions(manager)) == []
        name, fault = watching.result()[-1]
    assert (name, fault["error"]["code"], fault["run_id"]) == (
        *("fault", "run_cancelled"),
        run["run_id"],
    )
    details = http.get(path).json()
    assert (details["status"], details["fault"]) == ("cancelled", fault)
    assert http.get(f"{path}.txt").status_code == 200
    assert http.delete(path).status_code == 204
    assert http.get(path).status_code == 404


def test_twenty_runs_at_once_do_not_mix(http: httpx.Client, oracle: Oracle) -> None:
    def count(number: int) -> str:
        body = f"import time; n = {number}; time.sleep(0.1); print('out', n)"
        oracle.replies[f"number-{number}-of"] = in_turn(
            code(f"{body}\nprint(llm_query('sub of {number}.'))"), code("FINAL(n * 100)")
        )
        return f"number-{number}-of"

    with ThreadPoolExecutor(20) as pool:
        runs = list(pool.map(lambda n: steps_of(http, query=count(n), context=str(n)), range(20)))
    for number, steps in enumerate(runs):
        end = steps[-1][1]
        assert end["answer"] == str(number * 100)
        assert (end["usage"]["calls"], end["usage"]["turns"]) == (3, 2)
        output = "".join(data["text"] for name, data in steps if name == "output_written")
        assert output == f"out {number}\nFINAL(yes)\n"
        prompts = [data["prompt"] for name, data in steps if name == "sub_call_started"]
        assert prompts == [f"sub of {number}."]
    assert len({steps[-1][1]["run_id"] for steps in runs}) == 20


def test_it_takes_no_new_run_while_it_closes_down_and_lets_the_others_end(
    small: AgentProcess, oracle: Oracle
) -> None:
    oracle.replies["draining"] = in_turn(code("import time; time.sleep(2)"), "FINAL(drained)")
    with (
        httpx.Client(base_url=small.url, trust_env=False, timeout=100) as http,
        ThreadPoolExecutor(1) as pool,
    ):
        assert http.get("/ready").status_code == 200
        running = pool.submit(http.post, "/infer", json={"query": "draining"})
        wait_for(lambda: bool(active(http)))
        small.process.send_signal(signal.SIGTERM)
        wait_for(lambda: http.get("/ready").status_code == 503)
        assert http.get("/health").status_code == 200
        refused = http.post("/infer", json={"query": "too late"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "not_ready")
        assert running.result().json()["answer"] == "drained"
        assert small.process.wait(60) == 0


@pytest.mark.parametrize("signals", [1, 2])
def test_what_does_not_end_in_time_is_cancelled(
    manager: ManagerProcess, oracle: Oracle, signals: int
) -> None:
    oracle.replies["undrained"] = in_turn(code("while True: pass"))
    environment = {
        "RLM_KERNEL_TOKEN": manager.token,
        "RLM_KERNEL_AGENT_DRAIN_SECONDS": "0.1" if signals == 1 else "1000",
    }
    with (
        AgentProcess(manager.url, oracle.base_url, environment=environment) as agent,
        httpx.Client(base_url=agent.url, trust_env=False, timeout=100) as http,
        ThreadPoolExecutor(1) as pool,
    ):
        running = pool.submit(http.post, "/infer", json={"query": "undrained"})
        wait_for(lambda: bool(active(http)))
        agent.process.send_signal(signal.SIGTERM)
        if signals == 2:
            wait_for(lambda: http.get("/ready").status_code == 503)
            agent.process.send_signal(signal.SIGTERM)
        fault = running.result()
        assert (fault.status_code, fault.json()["error"]["code"]) == (503, "run_cancelled")
        assert agent.process.wait(60) == 0
    assert asyncio.run(open_sessions(manager)) == []


def test_a_client_that_does_not_read_ends_its_run(manager: ManagerProcess, oracle: Oracle) -> None:
    oracle.replies["torrent"] = in_turn(code("for i in range(200): print('x' * 100_000)"))
    environment = {
        "RLM_KERNEL_TOKEN": manager.token,
        "RLM_KERNEL_STREAM_BYTES": str(1 << 20),
    }
    with (
        AgentProcess(manager.url, oracle.base_url, environment=environment) as agent,
        httpx.Client(base_url=agent.url, trust_env=False, timeout=100) as http,
        asked(agent.url, {"query": "torrent"}, STREAM["Accept"]) as client,
    ):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 12)
        wait_for(lambda: bool(http.get("/runs").json()["runs"]) and not active(http))
        [run] = http.get("/runs").json()["runs"]
        assert run["status"] == "cancelled"
