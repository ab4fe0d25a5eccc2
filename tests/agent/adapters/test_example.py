"""The example of docs/adapters.md runs as it stands there, and prints what stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from rlm_kernel.agent.manager_process import ManagerProcess
from rlm_kernel.testing import ChatRequest, Reply, ScriptedModelServer

PAGE = Path(__file__).parents[3] / "docs" / "adapters.md"
COUNT = "count = sum(line.endswith('7') for line in context.splitlines())"


def block(mark: str) -> str:
    """The fenced block that follows a mark."""
    found = re.search(rf"<!-- {mark} -->\n```\w+\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def counting(request: ChatRequest) -> Reply:
    if "[[ ## " in request.last:  # dspy's way of asking
        code = f"```python\n{COUNT}\nSUBMIT(str(count))\n```"
        fields = f"[[ ## reasoning ## ]]\nCount.\n\n[[ ## code ## ]]\n{code}"
        return Reply(f"{fields}\n\n[[ ## completed ## ]]")
    return Reply(f"```repl\n{COUNT}\nanswer['content'] = count\nanswer['ready'] = True\n```")


def test_the_example_prints_what_the_page_says(manager: ManagerProcess) -> None:
    with ScriptedModelServer(counting) as server:
        done = subprocess.run(
            [sys.executable, "-c", block("example")],
            capture_output=True,
            text=True,
            timeout=240,
            env={
                **os.environ,
                "OPENAI_BASE_URL": server.base_url,
                "OPENAI_API_KEY": "a-test-key",
                "WASM_MANAGER_SERVICE_URL": manager.url,
                "RLM_KERNEL_TOKEN": manager.token,
            },
        )
    assert done.stdout == block("output"), done.stderr
