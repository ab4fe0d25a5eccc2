"""`rlm-kernel healthcheck`: one exit status for whoever runs the manager."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from rlm_kernel.cli import main
from tests.agent.service.process import AgentProcess
from tests.manager.process import ManagerProcess

TOKEN = "s3cret-of-the-test"
TOKENS = {"RLM_KERNEL_TOKEN": TOKEN}


@pytest.fixture(scope="module")
def manager() -> Iterator[ManagerProcess]:
    """One with a token, whose zygote is up."""
    with ManagerProcess(environment=TOKENS) as process:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        httpx.post(f"{process.url}/session", headers=headers, timeout=100, trust_env=False)
        yield process


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WASM_MANAGER_SERVICE_URL", "RLM_KERNEL_HOST", "RLM_KERNEL_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RLM_KERNEL_TOKEN", TOKEN)


def test_a_ready_manager_is_healthy_wherever_its_address_comes_from(
    manager: ManagerProcess, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["healthcheck", "--url", manager.url]) == 0
    with monkeypatch.context() as patch:
        patch.setenv("WASM_MANAGER_SERVICE_URL", manager.url)
        assert main(["healthcheck"]) == 0
    monkeypatch.setenv("RLM_KERNEL_HOST", "0.0.0.0")
    monkeypatch.setenv("RLM_KERNEL_PORT", str(urlsplit(manager.url).port))
    assert main(["healthcheck"]) == 0
    assert capsys.readouterr() == ("", "")


def test_without_the_token_it_is_alive_but_not_ready(
    manager: ManagerProcess, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("RLM_KERNEL_TOKEN")
    assert main(["healthcheck", "--alive", "--url", manager.url]) == 0
    assert main(["healthcheck", "--url", manager.url]) == 1
    assert capsys.readouterr().err == (
        "not healthy: send the token: 'Authorization: Bearer TOKEN'\n"
    )


def test_an_agent_is_asked_by_an_option(
    manager: ManagerProcess, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RLM_KERNEL_AGENT_PORT", "0")
    with AgentProcess(manager.url, "http://127.0.0.1:9", environment=TOKENS) as agent:
        assert main(["healthcheck", "--agent", "--url", agent.url]) == 0
        monkeypatch.setenv("RLM_KERNEL_AGENT_HOST", "0.0.0.0")
        monkeypatch.setenv("RLM_KERNEL_AGENT_PORT", str(urlsplit(agent.url).port))
        assert main(["healthcheck", "--agent"]) == 0
        assert capsys.readouterr() == ("", "")
    with AgentProcess("http://127.0.0.1:9", "http://127.0.0.1:9") as agent:
        assert main(["healthcheck", "--agent", "--alive", "--url", agent.url]) == 0
        assert main(["healthcheck", "--agent", "--url", agent.url]) == 1
        assert capsys.readouterr().err.startswith(
            "not healthy: the manager: no answer from http://127.0.0.1:9"
        )


def test_nobody_there_is_not_healthy(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as bound:  # so that nobody else can listen there
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        assert main(["healthcheck", "--url", f"http://127.0.0.1:{port}"]) == 1
    assert capsys.readouterr().err.startswith("not healthy: no answer from http://127.0.0.1:")


def test_one_that_does_not_answer_in_time_is_not_healthy(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        assert main(["healthcheck", "--url", url, "--timeout", "0.2"]) == 1
    assert capsys.readouterr().err == "not healthy: no answer within 0.2 s\n"


def test_what_is_no_url_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["healthcheck", "--url", "http://x:port"]) == 2
    assert "is not a URL" in capsys.readouterr().err
