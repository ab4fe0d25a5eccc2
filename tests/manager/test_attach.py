"""A Jupyter client on a session that programs use over HTTP at the same time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from jupyter_client.blocking.client import BlockingKernelClient

from tests.manager.test_sessions import run

SECONDS = 30


@pytest.fixture
def jupyter(http: httpx.Client, session: str) -> Iterator[BlockingKernelClient]:
    client = BlockingKernelClient()
    client.load_connection_info(http.get(f"{session}/connection").json())
    client.start_channels()
    client.wait_for_ready(timeout=SECONDS)
    yield client
    client.stop_channels()


def published(client: BlockingKernelClient, kind: str) -> dict[str, Any]:
    """The next message of this kind that everybody attached gets."""
    while True:
        message = client.get_iopub_msg(timeout=SECONDS)
        if message["msg_type"] == kind:
            content: dict[str, Any] = message["content"]
            return content


def test_both_see_the_same_variables(
    http: httpx.Client, session: str, jupyter: BlockingKernelClient
) -> None:
    run(http, session, "x = 20")
    reply = jupyter.execute_interactive(
        "x += 1", user_expressions={"x": "x"}, timeout=SECONDS, output_hook=lambda _: None
    )
    assert reply["content"]["user_expressions"]["x"]["data"]["text/plain"] == "21"
    assert run(http, session, "x * 2")["result"] == "42"


def test_what_a_program_runs_is_seen_by_who_is_attached(
    http: httpx.Client, session: str, jupyter: BlockingKernelClient
) -> None:
    run(http, session, "print('hello'); 6 * 7")
    assert published(jupyter, "execute_input")["code"] == "print('hello'); 6 * 7"
    assert published(jupyter, "stream")["text"] == "hello\n"
    assert published(jupyter, "execute_result")["data"]["text/plain"] == "42"


def test_the_connection_stays_the_same(http: httpx.Client, session: str) -> None:
    first, second = (http.get(f"{session}/connection").json() for _ in range(2))
    assert first == second
    assert first["ip"] == "127.0.0.1"
    assert first["key"]


def test_what_a_jupyter_client_does_counts_as_activity(
    http: httpx.Client, session: str, jupyter: BlockingKernelClient
) -> None:
    before = http.get(session).json()
    jupyter.execute_interactive("1", timeout=SECONDS, output_hook=lambda _: None)
    after = http.get(session).json()
    assert after["last_activity"] > before["last_activity"]
    assert after["executions"] == before["executions"] + 1


def test_a_shutdown_by_a_jupyter_client_deletes_the_session(
    http: httpx.Client, session: str, jupyter: BlockingKernelClient
) -> None:
    jupyter.shutdown()
    while http.get(session).status_code == 200:
        threading.Event().wait(0.02)
    assert http.get(session).status_code == 404
    assert http.get("/sessions").json()["sessions"] == []


def test_a_restart_by_a_jupyter_client_keeps_the_session(
    http: httpx.Client, session: str, jupyter: BlockingKernelClient
) -> None:
    run(http, session, "x = 1")
    jupyter.shutdown(restart=True)
    while run(http, session, "'x' in globals()")["result"] != "False":
        threading.Event().wait(0.02)
    assert http.get(session).status_code == 200


@pytest.mark.parametrize("restart", [False, True])
def test_an_owned_session_answers_a_shutdown_but_does_not_obey_it(
    http: httpx.Client, restart: bool
) -> None:
    session = f"/session/{http.post('/session', json={'owned': True}).json()['session_id']}"
    client = BlockingKernelClient()
    client.load_connection_info(http.get(f"{session}/connection").json())
    client.start_channels()
    client.wait_for_ready(timeout=SECONDS)
    run(http, session, "x = 1")
    client.shutdown(restart=restart)
    assert client.get_control_msg(timeout=SECONDS)["content"]["status"] == "ok"
    client.stop_channels()
    assert run(http, session, "x")["result"] == "1"


def test_the_details_count_those_who_are_attached(
    http: httpx.Client, session: str, jupyter: BlockingKernelClient
) -> None:
    assert http.get(session).json()["clients"] == 1
    jupyter.stop_channels()
    while http.get(session).json()["clients"]:
        threading.Event().wait(0.02)
