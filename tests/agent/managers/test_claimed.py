"""Pods that are claimed for sessions: asked for over HTTP, used, and given up."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rlm_kernel.agent import RLM_REPL, SidecarREPLFactory, create_sidecar_repl_factory
from rlm_kernel.agent.managers import ClaimOptions, Cluster, managers_at
from rlm_kernel.agent.managers.claim import ClaimStatus
from rlm_kernel.errors import (
    ClaimFailed,
    ManagerUnavailable,
    NotReady,
    SessionNotFound,
    TooManySessions,
)
from rlm_kernel.testing import ScriptedModelServer
from tests.agent.managers.conftest import TOKEN, running, sessions_of
from tests.agent.managers.kubernetes import POOL, FakeKubernetes, bound, condition
from tests.agent.runs import code, model_of
from tests.manager.process import ManagerProcess


@pytest.fixture
def kubernetes(tmp_path: Path) -> Iterator[FakeKubernetes]:
    """A cluster each of whose pods has the address of this machine."""
    with FakeKubernetes(tmp_path, lambda name: bound("127.0.0.1")) as fake:
        yield fake


def port_of(manager: ManagerProcess) -> int:
    return int(manager.url.rpartition(":")[2])


def factory_of(kubernetes: FakeKubernetes, port: int, **options: Any) -> SidecarREPLFactory:
    managers = managers_at(
        f"claim+http://{POOL}:{port}",
        TOKEN,
        cluster=kubernetes.cluster,
        claims=ClaimOptions(**options),
    )
    return SidecarREPLFactory("http://unused", managers=managers)


async def test_a_pod_is_claimed_for_the_first_session_and_given_up_with_the_last(
    kubernetes: FakeKubernetes, pair: list[ManagerProcess]
) -> None:
    factory = factory_of(kubernetes, port_of(pair[0]), sessions=2)
    first = await factory.create_session()
    second = await factory.create_session()
    third = await factory.create_session()
    assert len(kubernetes.made) == 2
    assert await factory.execute_in_session(first, "6 * 7") == "42"
    await factory.destroy_session(first)
    assert kubernetes.deleted == []
    await factory.destroy_session(second)
    assert kubernetes.deleted == kubernetes.made[:1]
    await factory.destroy_session(third)
    assert kubernetes.claims == {}
    for gone in (first, "another's"):
        with pytest.raises(SessionNotFound):
            await factory.execute_in_session(gone, "1")


async def test_a_claim_names_its_pool_and_ends_by_itself(
    kubernetes: FakeKubernetes, pair: list[ManagerProcess]
) -> None:
    factory = factory_of(kubernetes, port_of(pair[0]), life=3600.0)
    await factory.create_session()
    (name,) = kubernetes.made
    assert re.fullmatch(r"rlm-[0-9a-f]{12}", name)
    lifecycle = kubernetes.claims[name]["spec"].pop("lifecycle")
    assert kubernetes.claims[name] == {
        "apiVersion": "extensions.agents.x-k8s.io/v1beta1",
        "kind": "SandboxClaim",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": "rlm-kernel"}},
        "spec": {"warmPoolRef": {"name": "managers"}},
    }
    end = datetime.strptime(lifecycle["shutdownTime"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert lifecycle["shutdownPolicy"] == "Delete"
    assert 3500 < (end - datetime.now(UTC)).total_seconds() <= 3600
    await factory.close()
    assert kubernetes.claims == {}


async def test_runs_share_a_pod_and_give_it_up(
    kubernetes: FakeKubernetes, pair: list[ManagerProcess]
) -> None:
    factory = factory_of(kubernetes, port_of(pair[0]))
    with ScriptedModelServer([code("FINAL(context)")] * 3) as server:
        rlm = RLM_REPL(model_of(server), repl_factory=factory)
        answers = await asyncio.gather(*(rlm.acompletion(f"{n}") for n in range(3)))
    assert sorted(answers) == ["0", "1", "2"]
    assert kubernetes.deleted == kubernetes.made
    assert kubernetes.claims == {}
    assert sessions_of(pair[0]) == set()


async def test_a_claim_is_waited_for_until_its_pod_is_ready(
    kubernetes: FakeKubernetes, pair: list[ManagerProcess]
) -> None:
    pending = condition("Ready", "False", "DependenciesNotReady", "Pod is Pending")
    told: list[dict[str, Any]] = [
        {},
        {"conditions": [], "sandbox": {}},
        {"conditions": [pending], "sandbox": {"name": "managers-1"}},
        {"conditions": [pending], "sandbox": {"name": "managers-1", "podIPs": ["127.0.0.1"]}},
        bound("127.0.0.1"),
    ]
    kubernetes.controller = lambda name: told.pop(0)
    await factory_of(kubernetes, port_of(pair[0])).create_session()
    assert told == []


async def test_a_pod_that_never_gets_ready_is_given_up(kubernetes: FakeKubernetes) -> None:
    kubernetes.controller = lambda name: {}
    factory = factory_of(kubernetes, 9, patience=0.2)
    with pytest.raises(ClaimFailed, match=r"no pod of managers was ready in 0\.2 s"):
        await factory.create_session()
    assert kubernetes.deleted == kubernetes.made


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (condition("Ready", "False", "WarmPoolNotFound", "not found"), "WarmPoolNotFound: not f"),
        (condition("Ready", "False", "ClaimExpired", "expired"), "ClaimExpired: expired"),
        (condition("Finished", "True", "PodFailed"), "the pod has ended: PodFailed"),
    ],
)
async def test_what_cannot_come_to_be_is_not_waited_for(
    kubernetes: FakeKubernetes, told: dict[str, str], said: str
) -> None:
    kubernetes.controller = lambda name: {"conditions": [told]}
    with pytest.raises(ClaimFailed, match=said):
        await factory_of(kubernetes, 9).create_session()
    assert kubernetes.deleted == kubernetes.made


async def test_what_the_cluster_refuses_is_said_in_its_words(kubernetes: FakeKubernetes) -> None:
    kubernetes.refusal = 403, 'sandboxclaims is forbidden: User "x" cannot create resource'
    factory = factory_of(kubernetes, 9, sessions=4)
    waiting = [factory.create_session() for _ in range(3)]
    for error in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(error, ClaimFailed)
    with pytest.raises(ClaimFailed, match="cannot create resource"):
        await factory.create_session()
    with pytest.raises(NotReady, match="cannot create resource"):
        await factory.ready()
    assert kubernetes.made == []


async def test_an_answer_of_another_form_is_an_error(kubernetes: FakeKubernetes) -> None:
    kubernetes.controller = lambda name: {"conditions": "none"}
    with pytest.raises(ClaimFailed, match="is not of the form of"):
        await factory_of(kubernetes, 9).create_session()
    kubernetes.refusal = 502, ""
    with pytest.raises(ClaimFailed, match="the cluster refuses it"):
        await factory_of(kubernetes, 9).create_session()


async def test_a_pod_of_no_use_is_given_up_for_another(
    kubernetes: FakeKubernetes, pair: list[ManagerProcess]
) -> None:
    # 127.0.0.2 is this machine as well, but nothing listens there.
    kubernetes.controller = lambda name: bound(
        "127.0.0.2" if name == kubernetes.made[0] else "127.0.0.1"
    )
    await factory_of(kubernetes, port_of(pair[0])).create_session()
    assert kubernetes.deleted == kubernetes.made[:1]
    assert len(kubernetes.claims) == 1


async def test_pods_of_no_use_are_not_claimed_for_ever(kubernetes: FakeKubernetes) -> None:
    with pytest.raises(ManagerUnavailable, match=r"127\.0\.0\.1:9"):
        await factory_of(kubernetes, 9).create_session()
    assert len(kubernetes.made) == 3
    assert kubernetes.deleted == kubernetes.made


async def test_a_full_pod_gets_no_more_sessions(kubernetes: FakeKubernetes) -> None:
    with running({"MAX_SESSIONS": "1"}) as (small,):
        factory = factory_of(kubernetes, port_of(small))
        await factory.create_session()
        with pytest.raises(TooManySessions):
            await factory.create_session()
        # The pods that were claimed in its place are, in this test, one and the same.
        assert len(kubernetes.made) == 3
        assert kubernetes.deleted == kubernetes.made[1:]


async def test_what_is_cancelled_while_it_waits_gives_its_claim_up(
    kubernetes: FakeKubernetes,
) -> None:
    looked = asyncio.Event()
    loop = asyncio.get_running_loop()

    def pending(name: str) -> dict[str, Any]:
        loop.call_soon_threadsafe(looked.set)
        return {}

    kubernetes.controller = pending
    waiting = asyncio.create_task(factory_of(kubernetes, 9).create_session())
    await looked.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert kubernetes.deleted == kubernetes.made
    assert len(kubernetes.made) == 1


async def test_a_claim_that_cannot_be_given_up_is_logged(
    kubernetes: FakeKubernetes, pair: list[ManagerProcess], caplog: pytest.LogCaptureFixture
) -> None:
    factory = factory_of(kubernetes, port_of(pair[0]))
    session = await factory.create_session()
    kubernetes.refusal = 500, "etcd is gone"
    await factory.destroy_session(session)
    assert "was left behind: the cluster refuses it: etcd is gone" in caplog.text


async def test_a_pod_that_is_old_gets_no_more_sessions(
    kubernetes: FakeKubernetes, pair: list[ManagerProcess]
) -> None:
    factory = factory_of(kubernetes, port_of(pair[0]), life=0.0)
    for _ in range(2):
        await factory.create_session()
    assert len(kubernetes.made) == 2


async def test_readiness_is_that_the_warm_pool_is_there(kubernetes: FakeKubernetes) -> None:
    await factory_of(kubernetes, 9).ready()
    managers = managers_at("claim+http://others:8080", cluster=kubernetes.cluster)
    with pytest.raises(NotReady, match="there is no SandboxWarmPool others"):
        await managers.ready()


async def test_the_token_is_read_anew(
    kubernetes: FakeKubernetes, pair: list[ManagerProcess]
) -> None:
    factory = factory_of(kubernetes, port_of(pair[0]), sessions=1)
    await factory.create_session()
    (kubernetes.account / "token").write_text("a-newer-token")
    await factory.create_session()
    assert len(kubernetes.made) == 2


async def test_outside_of_a_cluster_there_is_nothing_to_claim(tmp_path: Path) -> None:
    managers = managers_at("claim+http://managers:8080", cluster=Cluster("http://127.0.0.1:9"))
    with pytest.raises(NotReady, match="claimed with a service account: No such file"):
        await managers.ready()
    for name in ("token", "namespace"):
        (tmp_path / name).write_text("x")
    managers = managers_at(
        "claim+http://managers:8080", cluster=Cluster("http://127.0.0.1:9", tmp_path)
    )
    with pytest.raises(NotReady, match=r"no answer from the cluster at http://127\.0\.0\.1:9"):
        await managers.ready()


def test_settings_name_a_warm_pool(
    kubernetes: FakeKubernetes, pair: list[ManagerProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WASM_MANAGER_SERVICE_URL", f"claim+http://{POOL}:{port_of(pair[0])}")
    monkeypatch.setenv("RLM_KERNEL_TOKEN", TOKEN)
    monkeypatch.setenv("RLM_KERNEL_CLUSTER_URL", kubernetes.cluster.url)
    monkeypatch.setenv("RLM_KERNEL_CLUSTER_ACCOUNT", str(kubernetes.account))
    monkeypatch.setenv("RLM_KERNEL_CLAIM_SESSIONS", "1")
    factory = create_sidecar_repl_factory()
    with factory.create_env() as one, factory.create_env() as other:
        assert (one.code_execution("1"), other.code_execution("2")) == ("1", "2")
        assert len(kubernetes.claims) == 2
    assert kubernetes.claims == {}


def test_an_address_of_either_family_is_a_host() -> None:
    status = {"conditions": [condition("Ready", "True", "x")], "sandbox": {"podIPs": ["fd00::7"]}}
    assert ClaimStatus.model_validate(status).address() == "fd00::7"
