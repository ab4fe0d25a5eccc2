"""The Python and the commands of the design document, as written, against a running pod pair."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from rlm_kernel.agent.manager_process import ManagerProcess
from rlm_kernel.testing import ScriptedModelServer
from tests.agent.runs import code
from tests.agent.service.process import AgentProcess

# The document calls the package `rlm`, a name that others have on PyPI.
AS_RLM = """
import sys
import rlm_kernel.agent as agent
for name in ("rlm", "rlm.remote", "rlm.local", "rlm.local.rlm_repl"):
    sys.modules[name] = agent
"""
BASIC_USAGE = """
from rlm.remote import create_sidecar_repl_factory
from rlm.local.rlm_repl import RLM_REPL

# Create sidecar REPL factory
factory = create_sidecar_repl_factory()

# Create RLM with sidecar factory
rlm = RLM_REPL(
    model="gpt-5",
    max_depth=2,
    enable_logging=True,
    repl_factory=factory
)

# Run inference
result = rlm.completion(
    context="Calculate the Fibonacci sequence up to 10 terms",
    query="What is the 8th Fibonacci number?"
)
"""
STATE_PERSISTENCE = """
import asyncio
from rlm.remote import create_sidecar_repl_factory

async def test_state():
    factory = create_sidecar_repl_factory()
    
    # Create session
    session_id = await factory.create_session()
    
    try:
        # Step 1: Define variable
        await factory.execute_in_session(session_id, "x = 42")
        
        # Step 2: Use variable (persists!)
        result = await factory.execute_in_session(session_id, "x * 2")
        print(f"Result: {result}")  # Output: 84
        
        # Step 3: Modify variable
        await factory.execute_in_session(session_id, "x = x + 10")
        
        # Step 4: Verify change (persists!)
        result = await factory.execute_in_session(session_id, "x")
        print(f"New x: {result}")  # Output: 52
        
    finally:
        await factory.destroy_session(session_id)

# Run test
asyncio.run(test_state())
"""  # noqa: W293 - it is quoted
FACTORY_TO_ENVIRONMENT = """
import asyncio
from rlm.remote import create_sidecar_repl_factory

repl_env = create_sidecar_repl_factory().create_env()
result = repl_env.code_execution("x = 42")
print(repl_env.code_execution("x"))

async def cleanup():
    await repl_env.cleanup()  # Deletes session

asyncio.run(cleanup())
"""
FIBONACCI = code("a, b = 0, 1\nfor _ in range(8):\n    a, b = b, a + b\nprint(a)")


@pytest.fixture(scope="module")
def model() -> Iterator[ScriptedModelServer]:
    def reply(request: object) -> str:
        turns = sum(m["role"] == "assistant" for m in request.messages)  # type: ignore[attr-defined]
        return "FINAL(21)" if turns else FIBONACCI

    with ScriptedModelServer(reply) as server:
        yield server


def run(source: str, manager: ManagerProcess, model: ScriptedModelServer) -> tuple[str, str]:
    """What a program that holds it prints, to both streams."""
    environment = {
        **os.environ,
        "WASM_MANAGER_SERVICE_URL": manager.url,
        "RLM_KERNEL_TOKEN": manager.token,
        "OPENAI_API_BASE": model.base_url,
        "OPENAI_API_KEY": "a-test-key",
    }
    done = subprocess.run(
        [sys.executable, "-c", AS_RLM + source],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_basic_usage(manager: ManagerProcess, model: ScriptedModelServer) -> None:
    output, steps = run(BASIC_USAGE + "print(result)", manager, model)
    assert output == "21\n"
    assert "── answer after 2 turns ──" in steps
    assert model.requests[-1].body["model"] == "gpt-5"


def test_state_persistence(manager: ManagerProcess, model: ScriptedModelServer) -> None:
    assert run(STATE_PERSISTENCE, manager, model)[0] == "Result: 84\nNew x: 52\n"


def test_the_environment_of_the_factory(
    manager: ManagerProcess, model: ScriptedModelServer
) -> None:
    assert run(FACTORY_TO_ENVIRONMENT, manager, model)[0] == "42\n"


def test_the_same_question_to_the_service(
    manager: ManagerProcess, model: ScriptedModelServer
) -> None:
    environment = {
        "RLM_KERNEL_TOKEN": manager.token,
        "RLM_KERNEL_MODEL": "gpt-5",
        "LOG_LEVEL": "DEBUG",
    }
    with AgentProcess(manager.url, model.base_url, environment=environment) as agent:
        for path in ("health", "ready"):
            assert httpx.get(f"{agent.url}/{path}", trust_env=False, timeout=60).status_code == 200
        question = {
            "context": "Calculate the Fibonacci sequence up to 10 terms",
            "query": "What is the 8th Fibonacci number?",
        }
        answer = httpx.post(f"{agent.url}/infer", json=question, trust_env=False, timeout=100)
    assert answer.json()["answer"] == "21"
