"""The end of a pod, in the order in which a kubelet has it: the agent, then its sidecar."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deploy.containers.engine import Engine
from tests.deploy.containers.pod import AGENT, MANAGER, Pod
from tests.deploy.rendered import pod as pod_of
from tests.deploy.rendered import variables

pytestmark = [pytest.mark.containers, pytest.mark.timeout(2400)]

SLOW = ["```python\nimport time; time.sleep(5); print(len(context))\n```", "FINAL(slow)"]


@pytest.fixture
def leaving(
    engine: Engine, images: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pod]:
    with Pod(engine, "rlm-leaving", tmp_path_factory.mktemp("pod"), model=SLOW) as pod:
        pod.ready()
        yield pod


def is_busy(pod: Pod) -> bool:
    return "rlm_kernel_sessions_busy 1.0" in pod.request("GET", f"{MANAGER}/metrics").text


def test_both_drain_in_time(leaving: Pod) -> None:
    pod = leaving
    question = {"context": "x", "query": "?"}
    run = pod.begin("POST", f"{AGENT}/infer", json=question)
    pod.wait(lambda: is_busy(pod), "the run's cell is running")
    pod.signal("rlm-inference", "TERM")
    pod.wait(lambda: pod.status(f"{AGENT}/ready") == 503, "no more requests are sent to it")
    refused = pod.request("POST", f"{AGENT}/infer", json=question)
    assert refused.status_code == 503
    assert run.result().json()["answer"] == "slow"
    agent_status, agent_seconds = pod.ended("rlm-inference")

    session = pod.request("POST", f"{MANAGER}/session").json()["session_id"]
    cell = pod.begin(
        "POST",
        f"{MANAGER}/session/{session}/execute",
        json={"code": "import time; time.sleep(3); print('done')"},
    )
    pod.wait(lambda: is_busy(pod), "the cell is running")
    pod.signal("wasm-manager", "TERM")
    assert cell.result().json()["stdout"] == "done\n"
    manager_status, manager_seconds = pod.ended("wasm-manager")

    assert (agent_status, manager_status) == (0, 0)
    print(f"\nafter SIGTERM: the agent {agent_seconds:.1f} s, the manager {manager_seconds:.1f} s")
    drain = variables("base", "rlm-inference")["RLM_KERNEL_AGENT_DRAIN_SECONDS"]
    assert agent_seconds < float(drain or 0)
    assert agent_seconds + manager_seconds < pod_of("base")["terminationGracePeriodSeconds"]
