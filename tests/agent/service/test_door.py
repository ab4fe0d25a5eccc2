"""Who gets in, and what nobody is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from rlm_kernel.cli import main
from tests.agent.service.process import KEY, AgentProcess
from tests.agent.service.scripted import Oracle, in_turn
from tests.agent.service.test_infer import infer

TOKEN, SCRAPER = "token-of-the-agent", "token-of-the-scraper"
EVERYWHERE = "http://127.0.0.1:9"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def locked(oracle: Oracle) -> Iterator[AgentProcess]:
    """A service on every address, as in a pod."""
    environment = {
        "RLM_KERNEL_AGENT_TOKEN": TOKEN,
        "RLM_KERNEL_METRICS_TOKEN": SCRAPER,
        "RLM_KERNEL_DIRECT_CHARACTERS": "1000",
        "LOG_LEVEL": "DEBUG",
    }
    with AgentProcess(EVERYWHERE, oracle.base_url, environment=environment) as process:
        yield process


@pytest.fixture
def door(locked: AgentProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=locked.url, trust_env=False, timeout=100) as http:
        yield http


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/infer"),
        ("POST", "/v1/chat/completions"),
        ("GET", "/v1/models"),
        ("GET", "/runs"),
        ("GET", "/metrics"),
        ("GET", "/metrics/manager"),
        ("GET", "/openapi.json"),
        ("GET", "/elsewhere"),
    ],
)
def test_nothing_is_answered_without_the_token(door: httpx.Client, method: str, path: str) -> None:
    for headers in ({}, bearer("wrong")):
        answer = door.request(method, path, headers=headers, json={"query": "x"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")


def test_health_readiness_and_the_page_are_open_to_all(door: httpx.Client) -> None:
    assert [door.get(path).status_code for path in ("/health", "/ready", "/")] == [200, 503, 200]


def test_with_the_token_it_answers_and_openais_clients_send_it_as_their_key(
    door: httpx.Client,
) -> None:
    door.headers.update(bearer(TOKEN))
    assert infer(door, query="may I?")["answer"] == "FINAL(yes)"
    chat = {"model": "rlm", "messages": [{"role": "user", "content": "may I?"}]}
    assert door.post("/v1/chat/completions", json=chat).status_code == 200


def test_a_link_with_the_token_becomes_a_cookie(door: httpx.Client) -> None:
    answer = door.get("/", params={"token": TOKEN}, headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert TOKEN not in cookie
    assert door.get("/runs").status_code == 200


def test_the_scraper_sees_the_counts_and_nothing_else(door: httpx.Client) -> None:
    assert door.get("/metrics", headers=bearer(SCRAPER)).status_code == 200
    assert door.get("/metrics/manager", headers=bearer(SCRAPER)).status_code == 503
    assert door.get("/runs", headers=bearer(SCRAPER)).status_code == 401


def test_pages_of_other_sites_and_other_names_stay_out(http: httpx.Client) -> None:
    for headers in (
        {"Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "evil.example"},
    ):
        answer = http.post("/infer", json={"query": "x"}, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")


def test_no_log_line_holds_a_token_or_a_key(
    door: httpx.Client, locked: AgentProcess, oracle: Oracle
) -> None:
    oracle.replies["echo-the-key"] = in_turn(f"it is {KEY}")
    door.get("/", params={"token": TOKEN})
    infer_with = {"json": {"query": "echo-the-key"}, "headers": bearer(TOKEN)}
    assert door.post("/infer", **infer_with).status_code == 200  # type: ignore[arg-type]
    log = locked.log()
    assert "POST /infer" in log
    for secret in (TOKEN, SCRAPER, KEY):
        assert secret not in log


def test_it_does_not_listen_to_others_without_a_token(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("RLM_KERNEL_AGENT_TOKEN", raising=False)
    assert main(["agent", "--host", "0.0.0.0", "--port", "0"]) == 2
    assert "set RLM_KERNEL_AGENT_TOKEN, or listen on 127.0.0.1" in capsys.readouterr().err


def test_secrets_come_from_files(oracle: Oracle, tmp_path: Path) -> None:
    (tmp_path / "RLM_KERNEL_AGENT_TOKEN").write_text(f"{TOKEN}\n")
    (tmp_path / "OPENAI_API_KEY").write_text(KEY[::-1])
    (tmp_path / "..data").mkdir()
    environment = {"RLM_KERNEL_SECRETS_DIR": str(tmp_path), "OPENAI_API_KEY": ""}
    with (
        AgentProcess(EVERYWHERE, oracle.base_url, environment=environment) as agent,
        httpx.Client(base_url=agent.url, trust_env=False, timeout=100) as http,
    ):
        assert http.get("/runs").status_code == 401
        http.headers.update(bearer(TOKEN))
        infer(http, query="with a key", direct=True)
    assert oracle.requests[-1].headers["Authorization"] == f"Bearer {KEY[::-1]}"


def test_a_folder_of_secrets_that_is_none_is_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["agent", "--secrets-dir", str(tmp_path / "none")]) == 2
    assert "RLM_KERNEL_SECRETS_DIR" in capsys.readouterr().err
