"""The pod of the base, for real: both containers, confined as the manifest has it, at work."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import zmq
import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.connect import KernelConnectionInfo

from tests.deploy.containers.pod import AGENT, KEY, MANAGER, TOKEN, Pod
from tests.deploy.rendered import containers
from tests.manager.jupyter.socket_client import SocketClient, text_of
from tests.manager.jupyter_process import JupyterProcess

pytestmark = [pytest.mark.containers, pytest.mark.timeout(2400)]

each_container = pytest.mark.parametrize("container", ["wasm-manager", "rlm-inference"])

NO_WAY_OUT = """
import socket
for family, address in ((socket.AF_INET, ("127.0.0.1", 8080)), (socket.AF_UNIX, "/run/x")):
    try:
        socket.socket(family, socket.SOCK_STREAM).connect(address)
        print("connected to", address)
    except OSError:
        pass
"""
NO_FILES = """
import os
for path in ("/opt/rlm-kernel", "/etc/passwd", "/etc/hostname", "/proc/1/environ", "/models",
             "/run/secrets/rlm-kernel/OPENAI_API_KEY", "/sys/kernel"):
    if os.path.exists(path):
        print(path)
print([name for name in os.environ if "RLM" in name or "KEY" in name or "TOKEN" in name])
"""


def execute(pod: Pod, session: str, code: str) -> dict[str, Any]:
    answer = pod.request("POST", f"{MANAGER}/session/{session}/execute", json={"code": code})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture
def session(pod: Pod) -> str:
    return str(pod.request("POST", f"{MANAGER}/session").json()["session_id"])


def status(pid: int) -> dict[str, str]:
    """What the kernel says of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def sessions_of(pod: Pod) -> list[int]:
    """The processes that are sessions: each leads a process session, and so does their zygote."""
    found = [pid for pid, words in pod.processes("wasm-manager").items() if "zygote" in words]
    return [pid for pid in found if int(status(pid)["PPid"]) in found]


def test_a_question_is_answered(pod: Pod) -> None:
    answer = pod.infer()
    assert (answer["answer"], answer["turns"]) == ("42", 2)


@each_container
def test_a_container_is_confined(pod: Pod, container: str) -> None:
    for pid in pod.processes(container):
        facts = status(pid)
        assert facts["Uid"].split() == ["10001"] * 4
        assert (facts["NoNewPrivs"], facts["Seccomp"]) == ("1", "2")
        assert [facts[f"Cap{name}"] for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")] == [
            "0" * 16
        ] * 5
    with pytest.raises(AssertionError, match="Read-only file system"):
        pod.exec(container, "touch", "/opt/x")
    limits = containers("base")[container]["resources"]["limits"]
    assert pod.inspect(container)["HostConfig"]["Memory"] == int(limits["memory"][:-2]) << 30


def test_no_layer_of_the_seal_is_missing(pod: Pod) -> None:
    assert pod.request("GET", f"{MANAGER}/health").json()["unsealed"] == []


def test_a_session_is_sealed_beyond_its_container(pod: Pod, session: str) -> None:
    execute(pod, session, "1")
    found = sessions_of(pod)
    assert found
    for pid in found:
        facts = status(pid)
        assert int(facts["Seccomp_filters"]) >= 2, "the container's, and its own"
        assert len(list(Path(f"/proc/{pid}/fd").iterdir())) < 16
        assert Path(f"/proc/{pid}/environ").read_bytes().count(b"=") <= 4


def test_a_session_reaches_no_network_and_no_file_of_the_containers(pod: Pod, session: str) -> None:
    assert execute(pod, session, NO_WAY_OUT)["stdout"] == ""
    assert execute(pod, session, NO_FILES)["stdout"] == "[]\n"


def test_keys_are_the_agents_alone(pod: Pod) -> None:
    for pid in pod.processes("wasm-manager"):
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        assert KEY.encode() not in environment
        assert TOKEN.encode() not in environment
    assert pod.exec("rlm-inference", "cat", "/run/secrets/rlm-kernel/OPENAI_API_KEY") == KEY
    with pytest.raises(AssertionError, match="No such file"):
        pod.exec("wasm-manager", "ls", "/run/secrets/rlm-kernel")


def test_strangers_are_not_let_in(pod: Pod) -> None:
    refused = pod.request("POST", f"{AGENT}/infer", json={}, headers={})
    assert refused.status_code == 401
    assert KEY not in pod.logs()
    assert TOKEN not in pod.logs()


def test_somebody_can_attach_to_what_the_agent_uses(pod: Pod, session: str) -> None:
    execute(pod, session, "x = 6 * 7")
    connection = pod.request("GET", f"{MANAGER}/session/{session}/connection").json()
    assert pod.network.call(print_of, connection, "print(x)") == "42\n"


def print_of(connection: KernelConnectionInfo, code: str) -> str:
    """What a cell prints, to a Jupyter client whose sockets are made where this is called."""
    return asyncio.run(_print_of(connection, code))


async def _print_of(connection: KernelConnectionInfo, code: str) -> str:
    context = zmq.asyncio.Context()
    client = AsyncKernelClient(context=context)
    client.load_connection_info(connection)
    client.start_channels()
    try:
        await client.wait_for_ready(timeout=60)
        said: list[str] = []
        await client.execute_interactive(
            code,
            timeout=60,
            output_hook=lambda message: said.append(message["content"].get("text", "")),
        )
        return "".join(said)
    finally:
        client.stop_channels()
        context.destroy()


def test_an_engineers_jupyterlab_has_the_pods_sessions(
    pod: Pod, session: str, tmp_path: Path
) -> None:
    execute(pod, session, "x = 6 * 7")
    assert pod.network.call(shown_in_lab, session, "print(x)", tmp_path) == "42\n"


def shown_in_lab(session: str, code: str, folder: Path) -> str:
    """What a cell prints in `rlm-kernel lab`, as the runbook has it started."""
    words = ["--url", MANAGER, "--no-browser", "--allow-root", "--port", "0"]
    with JupyterProcess(folder, "rlm_kernel", "lab", *words) as lab:
        assert session in lab.kernels()
        with SocketClient(lab.url, session, v1=False, header=lab.headers) as client:
            return text_of(client.execute(code))


def test_prometheus_gets_both_processes_from_the_agent(pod: Pod) -> None:
    assert "rlm_kernel_agent_runs_total" in pod.request("GET", f"{AGENT}/metrics").text
    assert "rlm_kernel_sessions_limit 100.0" in pod.request("GET", f"{AGENT}/metrics/manager").text


def test_probes_of_the_manifest_succeed(pod: Pod) -> None:
    manager = containers("base")["wasm-manager"]
    for name in ("startupProbe", "livenessProbe"):
        pod.exec("wasm-manager", *manager[name]["exec"]["command"])


def test_an_agent_outlives_its_manager(pod: Pod) -> None:
    os.kill(int(pod.inspect("wasm-manager")["State"]["Pid"]), signal.SIGKILL)
    pod.wait(lambda: pod.status(f"{AGENT}/ready") == 503, "the agent says that it is not ready")
    assert pod.status(f"{AGENT}/health") == 200
    failed = pod.request("POST", f"{AGENT}/infer", json={"context": "", "query": "?"})
    assert failed.status_code == 503
    assert failed.json()["error"]["code"] == "sandbox_unavailable"

    pod.restart("wasm-manager")
    pod.wait(lambda: pod.status(f"{AGENT}/ready") == 200, "the agent is ready again")
    assert pod.infer()["answer"] == "42"
