"""Kernels that Jupyter's own tools start and end, and that are sessions of a manager."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager, KernelManager
from nbclient import NotebookClient

from rlm_kernel.errors import ManagerUnavailable
from rlm_kernel.kernel import kernelspec
from tests.manager.process import ManagerProcess
from tests.notebooks import new_notebook

SECONDS = 30
AWAY = "http://localhost:9"


@pytest.fixture(autouse=True)
def specs(tmp_path: Path, manager: ManagerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """The manager's kernelspec, installed where Jupyter looks, and the manager's address."""
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share" / "jupyter"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("WASM_MANAGER_SERVICE_URL", manager.url)
    kernelspec.install(kernelspec.MANAGER_NAME, prefix=tmp_path)


def sessions(http: httpx.Client) -> list[str]:
    return [session["session_id"] for session in http.get("/sessions").json()["sessions"]]


def delete(http: httpx.Client, session: str) -> None:
    http.delete(f"/session/{session}")


@asynccontextmanager
async def connected(kernel: AsyncKernelManager) -> AsyncIterator[AsyncKernelClient]:
    client = kernel.client()
    client.start_channels(hb=False)
    try:
        await client.wait_for_ready(timeout=SECONDS)
        yield client
    finally:
        client.stop_channels()


@asynccontextmanager
async def started() -> AsyncIterator[tuple[AsyncKernelManager, AsyncKernelClient]]:
    kernel = AsyncKernelManager(kernel_name=kernelspec.MANAGER_NAME)
    await kernel.start_kernel()
    try:
        async with connected(kernel) as client:
            yield kernel, client
    finally:
        await kernel.shutdown_kernel(now=True)


async def value(client: AsyncKernelClient, expression: str) -> str:
    """The text of an expression's value in the kernel."""
    reply = await client.execute(
        "", user_expressions={"value": expression}, reply=True, timeout=SECONDS
    )
    found: dict[str, Any] = reply["content"]["user_expressions"]["value"]
    return str(found["data"]["text/plain"] if found["status"] == "ok" else found["ename"])


async def begin(client: AsyncKernelClient, code: str) -> str:
    """Starts a cell and returns, with its id, once it has printed something."""
    message_id = client.execute(code)
    while (await client.get_iopub_msg(timeout=SECONDS))["msg_type"] != "stream":
        continue
    return str(message_id)


async def ending(client: AsyncKernelClient, message_id: str) -> str:
    """The name of the error that a cell ended with."""
    while True:
        reply = await client.get_shell_msg(timeout=SECONDS)
        if reply["parent_header"]["msg_id"] == message_id:
            return str(reply["content"]["ename"])


def test_a_kernel_is_a_session_and_its_shutdown_destroys_it(http: httpx.Client) -> None:
    async def use() -> None:
        kernel = AsyncKernelManager(kernel_name=kernelspec.MANAGER_NAME)
        await kernel.start_kernel()
        async with connected(kernel) as client:
            assert len(sessions(http)) == 1
            assert await value(client, "6 * 7") == "42"
            assert await kernel.is_alive()
        await kernel.shutdown_kernel()
        assert not await kernel.is_alive()

    asyncio.run(use())
    assert sessions(http) == []


def test_an_interrupt_reaches_the_cell(http: httpx.Client) -> None:
    async def use() -> str:
        async with started() as (kernel, client):
            running = await begin(client, "print('running')\nwhile True: pass")
            await kernel.interrupt_kernel()
            return await ending(client, running)

    assert asyncio.run(use()) == "KeyboardInterrupt"


@pytest.mark.parametrize("now", [False, True], ids=["politely", "at once"])
def test_a_restart_keeps_the_session_and_forgets_its_variables(
    http: httpx.Client, now: bool
) -> None:
    async def use() -> None:
        async with started() as (kernel, client):
            assert await value(client, "globals().setdefault('x', 5)") == "5"
            before = (sessions(http), kernel.get_connection_info())
            await kernel.restart_kernel(now=now)
            assert (sessions(http), kernel.get_connection_info()) == before
            assert await value(client, "x") == "NameError"

    asyncio.run(use())
    assert sessions(http) == []


def test_a_kernel_that_is_detached_from_lives_on_with_its_cell(
    http: httpx.Client, tmp_path: Path
) -> None:
    kernelspec.install(kernelspec.MANAGER_NAME, prefix=tmp_path, detach=True)

    async def use() -> None:
        kernel = AsyncKernelManager(kernel_name=kernelspec.MANAGER_NAME)
        await kernel.start_kernel()
        async with connected(kernel) as client:
            await begin(client, "print(1)\nwhile not hasattr(__builtins__, 'go'): pass")
            await kernel.shutdown_kernel()

    asyncio.run(use())
    [session] = sessions(http)
    assert http.get(f"/session/{session}").json()["status"] == "busy"
    http.post(f"/session/{session}/interrupt")
    assert http.post(f"/session/{session}/execute", json={"code": "1"}).json()["status"] == "ok"


def test_a_session_that_was_ended_elsewhere_is_a_dead_kernel_and_says_why(
    http: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    async def use() -> None:
        async with started() as (kernel, _client):
            kernel.log = logging.getLogger("provisioned")
            assert kernel.provisioner is not None
            kernel.provisioner.log = kernel.log
            [session] = sessions(http)
            delete(http, session)
            assert not await kernel.is_alive()
            assert session in caplog.text
            await kernel.restart_kernel(now=True)
            async with connected(kernel) as client:
                assert await value(client, "'new'") == "'new'"
            assert sessions(http) != [session]

    asyncio.run(use())


def test_a_manager_that_is_away_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WASM_MANAGER_SERVICE_URL", AWAY)
    with pytest.raises(ManagerUnavailable, match=AWAY):
        asyncio.run(started().__aenter__())


def test_a_manager_that_went_away_leaves_a_dead_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    async def use() -> None:
        async with started() as (kernel, _client):
            with monkeypatch.context() as environment:
                environment.setenv("WASM_MANAGER_SERVICE_URL", AWAY)
                assert not await kernel.is_alive()
                with pytest.raises(ManagerUnavailable, match=AWAY):
                    await kernel.interrupt_kernel()

    asyncio.run(use())


def test_a_blocking_kernel_manager_works_too(http: httpx.Client) -> None:
    kernel = KernelManager(kernel_name=kernelspec.MANAGER_NAME)
    kernel.start_kernel()
    client = kernel.client()
    client.start_channels(hb=False)
    client.wait_for_ready(timeout=SECONDS)
    kernel.interrupt_kernel()
    reply = client.execute_interactive("1", timeout=SECONDS, output_hook=lambda _: None)
    client.stop_channels()
    kernel.shutdown_kernel()
    assert reply["content"]["status"] == "ok"
    assert sessions(http) == []


def test_nbclient_runs_a_notebook_on_it(http: httpx.Client) -> None:
    notebook = new_notebook("x = 6", "x * 7", "print('out')")
    NotebookClient(notebook, kernel_name=kernelspec.MANAGER_NAME, timeout=SECONDS).execute()
    assert notebook.cells[1].outputs[0]["data"]["text/plain"] == "42"
    assert notebook.cells[2].outputs[0]["text"] == "out\n"
    assert sessions(http) == []


def test_its_kernelspec_runs_no_command_and_names_the_provisioner() -> None:
    spec = KernelSpecManager().get_kernel_spec(kernelspec.MANAGER_NAME)
    assert spec.argv == []
    assert spec.metadata["kernel_provisioner"]["provisioner_name"] == "rlm-manager"
    assert (Path(spec.resource_dir) / "logo-svg.svg").is_file()
