"""A service with a local model, which it loads, and loads again when its process dies."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import httpx
import pytest

from rlm_kernel.agent.models.local import find_model
from rlm_kernel.agent.service import local_file, local_model
from rlm_kernel.agent.service.local_file import LocalFile
from rlm_kernel.agent.service.local_model import LocalModelKeeper
from rlm_kernel.errors import NotReady
from tests.agent.models.test_local import WEIGHTS, needs_llama, needs_weights
from tests.agent.service.process import AgentProcess
from tests.agent.service.scripted import Oracle
from tests.agent.service.test_models import weights
from tests.agent.service.test_runs import wait_for
from tests.processes import alive, children_of

NOWHERE = "http://127.0.0.1:9"


def problem(http: httpx.Client) -> str:
    return str(http.get("/ready").json()["error"]["message"])


@needs_llama
@needs_weights
@pytest.mark.timeout(600)
def test_the_model_of_model_path_answers_and_comes_back() -> None:
    environment = {"RLM_KERNEL_MODEL": "", "MODEL_PATH": str(WEIGHTS)}
    with (
        AgentProcess(NOWHERE, NOWHERE, environment=environment) as agent,
        httpx.Client(base_url=agent.url, trust_env=False, timeout=500) as http,
    ):
        assert http.get("/health").status_code == 200
        wait_for(lambda: problem(http).startswith("the manager"))  # it is all that is missing
        request = {"query": "Say: yes", "direct": True}
        answer = http.post("/infer", json=request).json()
        assert answer["model"] == f"local/{WEIGHTS.stem}"
        assert answer["usage"]["cost_usd"] == 0
        assert "yes" in answer["answer"].lower()
        [child] = children_of(agent.process.pid)
        os.kill(child, signal.SIGKILL)
        wait_for(lambda: not problem(http).startswith("the manager"))
        assert http.post("/infer", json=request).json()["error"]["code"] == "not_ready"
        wait_for(lambda: problem(http).startswith("the manager"))
        children = children_of(agent.process.pid)
        assert agent.stop() == 0
    assert alive(children) == set()


@needs_llama
async def test_a_model_that_cannot_be_loaded_is_tried_again(tmp_path: Path) -> None:
    keeper = LocalModelKeeper(LocalFile(weights(tmp_path / "broken.gguf")))
    keeper.begin()
    while keeper.problem == "the local model is being loaded":  # noqa: ASYNC110 - it is all there is
        await asyncio.sleep(0.02)
    assert keeper.problem is not None
    assert "broken.gguf cannot be served" in keeper.problem
    await keeper.close()


@needs_llama
async def test_one_that_is_closed_while_it_loads_ends(tmp_path: Path) -> None:
    before = children_of(os.getpid())
    keeper = LocalModelKeeper(LocalFile(weights(tmp_path / "broken.gguf")))
    keeper.begin()
    await asyncio.sleep(0)  # it has begun to load
    await keeper.close()
    await keeper.close()
    assert children_of(os.getpid()) <= before


async def test_a_file_that_is_not_there_is_looked_for_only_while_somebody_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[Path] = []

    def find(path: Path) -> Path:
        looks.append(path)
        return find_model(path)

    monkeypatch.setattr(local_file, "find_model", find)
    monkeypatch.setattr(local_model, "_LOOK_SECONDS", 0.0)
    keeper = LocalModelKeeper(LocalFile(tmp_path))
    keeper.begin()
    while keeper.problem == "the local model is being loaded":  # noqa: ASYNC110 - it is all there is
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.1)
    before = len(looks)
    await asyncio.sleep(0.2)
    assert len(looks) == before
    assert keeper.problem == f"the local model: no GGUF file is in {tmp_path}"
    with pytest.raises(NotReady, match=f"no GGUF file is in {tmp_path}"):
        keeper.model()
    await asyncio.sleep(0.1)
    assert len(looks) == before + 1
    await keeper.close()


def test_a_service_waits_for_the_model_of_an_empty_folder(tmp_path: Path) -> None:
    environment = {"RLM_KERNEL_MODEL": "", "MODEL_PATH": str(tmp_path)}
    with (
        AgentProcess(NOWHERE, NOWHERE, environment=environment) as agent,
        httpx.Client(base_url=agent.url, trust_env=False, timeout=100) as http,
    ):
        lacking = f"the local model: no GGUF file is in {tmp_path}"
        assert http.get("/health").status_code == 200
        wait_for(lambda: problem(http) == lacking)
        for answer in (http.get("/ready"), http.post("/infer", json={"query": "now?"})):
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_ready")
            assert answer.json()["error"]["message"] == lacking
            assert int(answer.headers["Retry-After"]) > 0
        weights(tmp_path / "broken.gguf")
        wait_for(lambda: problem(http) != lacking)
        assert agent.stop() == 0


@needs_llama
@needs_weights
@pytest.mark.timeout(300)
def test_a_model_that_comes_later_is_served(tmp_path: Path) -> None:
    environment = {"RLM_KERNEL_MODEL": "", "MODEL_PATH": str(tmp_path)}
    with (
        AgentProcess(NOWHERE, NOWHERE, environment=environment) as agent,
        httpx.Client(base_url=agent.url, trust_env=False, timeout=100) as http,
    ):
        wait_for(lambda: "no GGUF file" in problem(http))
        (tmp_path / WEIGHTS.name).symlink_to(WEIGHTS)
        wait_for(lambda: problem(http).startswith("the manager"))  # it is all that is missing
        assert agent.stop() == 0


def test_a_model_path_that_is_no_model_is_said_at_once(oracle: Oracle, tmp_path: Path) -> None:
    (tmp_path / "notes.gguf").write_text("no model")
    environment = {"RLM_KERNEL_MODEL": "", "MODEL_PATH": str(tmp_path / "notes.gguf")}
    with pytest.raises(AssertionError, match="is not a GGUF file"):
        AgentProcess(NOWHERE, oracle.base_url, environment=environment)
