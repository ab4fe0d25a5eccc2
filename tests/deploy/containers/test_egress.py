"""A policy that lets nothing out of the pod: the network stays shut, and localhost open."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.deploy.containers.engine import run
from tests.deploy.containers.namespace import Namespace
from tests.deploy.containers.pod import Pod

pytestmark = [pytest.mark.containers, pytest.mark.timeout(2400)]

POD, OUTSIDE, PORT = "10.213.0.2", "10.213.0.1", 8443

POLICY = """
table inet rlm_policy {
  chain output {
    type filter hook output priority filter; policy drop;
    oif lo accept
    ct state established,related accept
  }
}
"""
LISTEN = f"""
import socket
with socket.create_server(({OUTSIDE!r}, {PORT})) as server:
    print("listening", flush=True)
    while True:
        server.accept()[0].close()
"""


@pytest.fixture
def outside(pod: Pod) -> Iterator[None]:
    """A host that the pod can reach, where somebody listens."""
    with ExitStack() as closing:
        other = closing.enter_context(Namespace("rlm-outside"))
        pair = ["ip", "link", "add", "rlm0", "netns", pod.network.name, "type", "veth"]
        run([*pair, "peer", "name", "rlm1", "netns", other.name], 30)
        for network, device, address in (
            (pod.network, "rlm0", POD),
            (other, "rlm1", OUTSIDE),
        ):
            run(["ip", "-n", network.name, "address", "add", f"{address}/24", "dev", device], 30)
            run(["ip", "-n", network.name, "link", "set", device, "up"], 30)
        listener = closing.enter_context(other.start([sys.executable, "-c", LISTEN]))
        closing.callback(listener.kill)
        assert listener.stdout is not None
        assert listener.stdout.readline() == "listening\n"
        yield


def can_connect() -> bool:
    try:
        with socket.create_connection((OUTSIDE, PORT), timeout=3):
            return True
    except OSError:
        return False


@pytest.mark.usefixtures("outside")
def test_nothing_leaves_the_pod_and_it_works_all_the_same(pod: Pod) -> None:
    assert pod.network.call(can_connect), "or the policy would prove nothing"
    run(pod.network.command("nft", "-f", "-"), 30, stdin=POLICY)
    try:
        assert not pod.network.call(can_connect)
        assert pod.infer()["answer"] == "42"
    finally:
        run(pod.network.command("nft", "delete", "table", "inet", "rlm_policy"), 30)
    assert pod.network.call(can_connect)
