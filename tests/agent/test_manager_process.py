"""A manager as a child process."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from rlm_kernel.agent.manager_process import ManagerProcess
from rlm_kernel.errors import ManagerUnavailable
from rlm_kernel.manager.client import ManagerClient
from tests.agent.processes import below, wait_for_end


def test_only_who_has_the_token_can_use_it(manager: ManagerProcess) -> None:
    with httpx.Client(trust_env=False) as stranger:
        assert stranger.get(f"{manager.url}/sessions").status_code in (401, 403)

    async def list_sessions() -> int:
        async with ManagerClient(manager.url, token=manager.token) as client:
            return len(await client.list_sessions())

    assert asyncio.run(list_sessions()) == 0


def test_stopped_before_it_is_up_it_leaves_nothing_behind() -> None:
    manager = ManagerProcess()
    with manager:
        assert manager.url.startswith("http://127.0.0.1:")
        processes = {manager.pid, *below(manager.pid)}
    wait_for_end(processes)
    manager.stop()


def test_it_gets_no_keys_of_ours_and_no_code_of_the_working_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('code of the working directory ran')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "a-key-of-ours")
    with ManagerProcess() as manager:
        assert manager.url.startswith("http://127.0.0.1:")
        assert b"a-key-of-ours" not in Path(f"/proc/{manager.pid}/environ").read_bytes()


def test_one_that_cannot_start_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_SESSIONS", "none")
    with ManagerProcess() as manager, pytest.raises(ManagerUnavailable, match="could not start"):
        print(manager.url)
