"""Evaluation on a Ray cluster, where Ray is installed: the extra `ray`."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rlm_kernel.agent.manager_process import ManagerProcess
from rlm_kernel.testing import ChatRequest, ScriptedModelServer, Stall, Step
from tests.agent.conftest import open_sessions
from tests.agent.evaluation.oracle import Oracle
from tests.agent.evaluation.ray_cluster import SECRET, RayCluster
from tests.agent.evaluation.test_command import environment_of, results_of, started

# Ray starts eight processes, and gives up where that takes them more than 15 s: these tests are for
# a machine that does nothing else.
pytestmark = [
    pytest.mark.hostile,
    pytest.mark.skipif(
        importlib.util.find_spec("ray") is None, reason="the extra `ray` is not installed"
    ),
]


class Model:
    """One server for all tests: the workers have its address from the cluster's environment."""

    def __init__(self) -> None:
        self.script: Callable[[ChatRequest], Step] = Oracle()
        self.server = ScriptedModelServer(lambda request: self.script(request))


@pytest.fixture(scope="module")
def endless() -> Iterator[Model]:
    model = Model()
    with model.server:
        yield model


@pytest.fixture
def model(endless: Model) -> Model:
    """It answers all that it is asked, unless told otherwise."""
    endless.script = Oracle()
    return endless


@pytest.fixture(scope="module")
def cluster(endless: Model) -> Iterator[RayCluster]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (SECRET | environment_of(endless.server, None)).items():
            patch.setenv(name, value)
        with RayCluster() as cluster:
            yield cluster


def test_items_go_out_to_workers_that_share_a_manager(
    cluster: RayCluster, model: Model, manager: ManagerProcess, tmp_path: Path
) -> None:
    plan = ("--task", "s-niah,oolong", "--count", "1", "--parallel", "4", "--ray", cluster.address)
    with started(model.server, tmp_path, *plan, manager=manager) as process:
        out, err = process.communicate(timeout=240)
        assert process.returncode == 0, err
    results = results_of(tmp_path)
    assert [each.score for each in results] == [1.0] * 4
    assert [each.spent.calls for each in results if each.method == "plain"] == [1, 1]
    assert "| oolong | 1k | rlm | 1 | 1.00 |" in out
    assert "[4/4]" in err


def test_workers_without_a_manager_start_one_each(
    cluster: RayCluster, model: Model, tmp_path: Path
) -> None:
    plan = ("--task", "s-niah", "--count", "1", "--methods", "rlm", "--ray", cluster.address)
    with started(model.server, tmp_path, *plan, manager=None) as process:
        _, err = process.communicate(timeout=240)
        assert process.returncode == 0, err
    assert [each.score for each in results_of(tmp_path)] == [1.0]


def test_a_worker_that_is_killed_again_and_again_is_an_error_of_its_item(
    cluster: RayCluster, model: Model, manager: ManagerProcess, tmp_path: Path
) -> None:
    oracle, answered, killed = Oracle(), 0, 0

    def kills_the_second(request: ChatRequest) -> Step:
        nonlocal answered, killed
        answered += 1
        if answered == 1:
            return oracle(request)
        for worker in cluster.workers():
            os.kill(worker, signal.SIGKILL)
            killed += 1
        return "too late"

    plan = ("--task", "s-niah", "--count", "2", "--methods", "plain", "--ray", cluster.address)
    model.script = kills_the_second
    with started(model.server, tmp_path, *plan, manager=manager) as process:
        _, err = process.communicate(timeout=240)
        assert process.returncode == 0, err
    right, lost = results_of(tmp_path)
    assert right.score == 1
    assert lost.error is not None
    assert (lost.error.code, killed) == ("worker_lost", 2)


def test_a_signal_ends_what_runs_elsewhere_too(
    cluster: RayCluster, model: Model, manager: ManagerProcess, tmp_path: Path
) -> None:
    plan = ("--task", "s-niah", "--count", "1", "--methods", "rlm", "--ray", cluster.address)
    model.script = lambda request: Stall()
    before = len(model.server.requests)
    with started(model.server, tmp_path, *plan, manager=manager) as process:
        model.server.wait_for_requests(before + 1, timeout=240)
        workers = cluster.workers()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=120)
        assert (process.returncode, out) == (143, "")
        assert "Traceback" not in err
    assert workers
    assert asyncio.run(open_sessions(manager)) == []


def test_no_cluster_at_an_address_is_said_in_one_line(
    tmp_path: Path, manager: ManagerProcess
) -> None:
    with (
        ScriptedModelServer() as server,
        started(server, tmp_path, "--ray", "127.0.0.1:9", manager=manager) as process,
    ):
        _, err = process.communicate(timeout=240)
        assert process.returncode == 2
    assert "no Ray cluster at 127.0.0.1:9" in err.splitlines()[-1]
    assert "Traceback" not in err
