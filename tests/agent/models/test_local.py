"""The local model's server starts, answers, and never outlives its owner."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from rlm_kernel.agent.models.local import LocalModelServer, LocalModelSettings, find_model
from rlm_kernel.agent.models.model import Completion, Message
from rlm_kernel.agent.models.weights import MODEL
from rlm_kernel.cache import cache_dir
from rlm_kernel.errors import ConfigurationError, ModelError, ModelMissing

WEIGHTS = cache_dir() / "models" / MODEL.name
SMALL = LocalModelSettings(n_ctx=512)

needs_weights = pytest.mark.skipif(
    not MODEL.has_size(WEIGHTS), reason=f"{WEIGHTS} is absent: run `rlm-kernel model pull`"
)
needs_llama = pytest.mark.skipif(
    importlib.util.find_spec("xllamacpp") is None, reason="the extra `local` is not installed"
)

OWNER = """
import sys
from pathlib import Path
from rlm_kernel.agent.models.local import LocalModelServer, LocalModelSettings
server = LocalModelServer.start(Path(sys.argv[1]), LocalModelSettings(n_ctx=512))
print(server.pid, flush=True)
sys.stdin.read()
"""


def gguf(path: Path) -> Path:
    path.write_bytes(b"GGUF" + bytes(60))
    return path


def wait_until_gone(pid: int, seconds: float = 20.0) -> None:
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([process], [], [], seconds)[0], f"process {pid} still runs"
    finally:
        os.close(process)


def children() -> set[str]:
    tasks = Path("/proc/self/task").iterdir()
    return {pid for task in tasks for pid in (task / "children").read_text().split()}


@pytest.fixture(scope="module")
def server() -> Iterator[LocalModelServer]:
    with LocalModelServer.start(WEIGHTS, SMALL) as server:
        yield server


class TestFindModel:
    def test_a_file_is_itself(self, tmp_path: Path) -> None:
        assert find_model(gguf(tmp_path / "a.gguf")) == tmp_path / "a.gguf"

    def test_a_directory_stands_for_its_only_model(self, tmp_path: Path) -> None:
        gguf(tmp_path / "a.gguf")
        (tmp_path / "README.md").touch()
        assert find_model(tmp_path) == tmp_path / "a.gguf"

    def test_a_model_in_parts_is_its_first_part(self, tmp_path: Path) -> None:
        for number in (1, 2, 11):
            gguf(tmp_path / f"a-{number:05}-of-00011.gguf")
        assert find_model(tmp_path) == tmp_path / "a-00001-of-00011.gguf"

    def test_a_directory_of_several_models_is_refused_with_their_names(
        self, tmp_path: Path
    ) -> None:
        for name in ("b.gguf", "a.gguf"):
            gguf(tmp_path / name)
        with pytest.raises(ConfigurationError, match=r"a\.gguf, b\.gguf"):
            find_model(tmp_path)

    def test_an_empty_directory_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ModelMissing, match="no GGUF file is in"):
            find_model(tmp_path)

    def test_a_missing_file_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ModelMissing, match="No such file"):
            find_model(tmp_path / "a.gguf")

    def test_an_empty_file_is_one_that_is_not_there_yet(self, tmp_path: Path) -> None:
        (tmp_path / "a.gguf").touch()
        with pytest.raises(ModelMissing, match="is empty"):
            find_model(tmp_path)

    @pytest.mark.parametrize("content", [b"GGU", b"PK\x03\x04 and more"])
    def test_a_file_of_another_format_is_refused(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "a.gguf"
        path.write_bytes(content)
        with pytest.raises(ConfigurationError, match="is not a GGUF file"):
            find_model(path)


class TestFailures:
    def test_without_the_extra_the_error_names_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        with pytest.raises(ConfigurationError, match=r"rlm-kernel\[local\]"):
            LocalModelServer.start(gguf(tmp_path / "a.gguf"))

    @needs_llama
    def test_a_broken_model_is_a_model_error_with_the_reason(self, tmp_path: Path) -> None:
        before = children()
        with pytest.raises(ModelError, match=r"a\.gguf cannot be served: .*gguf"):
            LocalModelServer.start(gguf(tmp_path / "a.gguf"), SMALL)
        assert children() == before

    @needs_llama
    @needs_weights
    def test_a_model_that_takes_too_long_is_given_up(self) -> None:
        before = children()
        with pytest.raises(ModelError, match="not loaded within"):
            LocalModelServer.start(WEIGHTS, LocalModelSettings(ready_timeout_s=0.0))
        assert children() == before


@needs_llama
@needs_weights
class TestServing:
    def test_the_model_answers_for_free(self, server: LocalModelServer) -> None:
        completion = asyncio.run(_complete(server, "Reply with the single word: yes", 3))
        assert completion.text.strip().lower().startswith("yes")
        assert (completion.cost_usd, completion.truncated) == (0.0, False)
        assert completion.input_tokens > completion.output_tokens > 0

    def test_the_output_limit_cuts_the_answer(self, server: LocalModelServer) -> None:
        completion = asyncio.run(_complete(server, "Count from 1 to 50.", 4))
        assert (completion.output_tokens, completion.truncated) == (4, True)

    def test_a_prompt_beyond_the_window_is_a_model_error(self, server: LocalModelServer) -> None:
        with pytest.raises(ModelError, match="context"):
            asyncio.run(_complete(server, "word " * 2_000, 3))

    def test_requests_without_the_key_are_refused(self, server: LocalModelServer) -> None:
        body = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}
        url = f"{server.base_url}/chat/completions"
        refused = httpx.post(url, json=body, trust_env=False, timeout=30)
        assert refused.status_code == 401

    def test_closing_twice_ends_the_process_and_its_port(self) -> None:
        server = LocalModelServer.start(WEIGHTS, SMALL)
        server.close()
        server.close()
        assert not Path(f"/proc/{server.pid}").exists()
        with pytest.raises(httpx.ConnectError):
            httpx.get(server.base_url, trust_env=False)

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
    def test_the_server_ends_when_its_owner_is_killed(self, number: signal.Signals) -> None:
        command = [sys.executable, "-c", OWNER, str(WEIGHTS)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as owner:
            assert owner.stdout is not None
            pid = int(owner.stdout.readline())
            owner.send_signal(number)
            owner.wait()
        wait_until_gone(pid)


async def _complete(server: LocalModelServer, prompt: str, limit: int) -> Completion:
    return await server.model().complete([Message("user", prompt)], max_output_tokens=limit)
