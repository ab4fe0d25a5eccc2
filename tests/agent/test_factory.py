"""Sessions for callers: the examples of the design document, and what they leave open."""

from __future__ import annotations

import asyncio
import pickle

import pytest

from rlm_kernel.agent import SidecarREPLEnv, SidecarREPLFactory, create_sidecar_repl_factory
from rlm_kernel.agent.manager_process import ManagerProcess
from rlm_kernel.errors import ConfigurationError, ManagerUnavailable, SessionNotFound
from tests.agent.conftest import open_sessions


@pytest.fixture
def sidecar(
    factory: SidecarREPLFactory, manager: ManagerProcess, monkeypatch: pytest.MonkeyPatch
) -> SidecarREPLFactory:
    """The environment of a pod: the manager is where the variables say."""
    monkeypatch.setenv("WASM_MANAGER_SERVICE_URL", manager.url)
    monkeypatch.setenv("RLM_KERNEL_TOKEN", manager.token)
    return factory


@pytest.mark.usefixtures("sidecar")
def test_the_state_persistence_example_of_the_design_document(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def test_state() -> None:
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

    asyncio.run(test_state())
    assert capsys.readouterr().out == "Result: 84\nNew x: 52\n"


@pytest.mark.usefixtures("sidecar")
def test_the_communication_flow_of_the_design_document(manager: ManagerProcess) -> None:
    async def flow() -> None:
        factory = create_sidecar_repl_factory()
        repl_env = factory.create_env()
        assert await open_sessions(manager) == [repl_env.session_id]
        result = repl_env.code_execution("x = 42")
        assert (result, result.ok) == ("", True)
        assert repl_env.code_execution("x * 2") == "84"
        await repl_env.cleanup()
        assert await open_sessions(manager) == []
        await repl_env.cleanup()

    asyncio.run(flow())


def test_an_environment_works_without_an_event_loop_and_ends_with_its_block(
    factory: SidecarREPLFactory,
) -> None:
    with SidecarREPLEnv(factory) as env:
        env.code_execution("def f(n): return n + 1")
        assert env.code_execution("f(1)").result == "2"
    with pytest.raises(SessionNotFound):
        env.code_execution("f(1)")


def test_a_result_is_text_that_knows_its_parts(factory: SidecarREPLFactory) -> None:
    cell = "import sys\nprint('out')\nprint('err', file=sys.stderr)\n[1, 2]"
    with factory.create_env() as env:
        result = env.code_execution(cell)
    assert result == "out\nerr\n[1, 2]"
    assert (result.stdout, result.stderr, result.result) == ("out\n", "err\n", "[1, 2]")
    assert (result.ok, result.status, result.state, result.error) == (True, "ok", "kept", None)
    assert result.execution.duration_ms > 0
    copy = pickle.loads(pickle.dumps(result))
    assert (copy, copy.stdout) == (result, "out\n")


def test_an_exception_is_in_the_result(factory: SidecarREPLFactory) -> None:
    with factory.create_env() as env:
        result = env.code_execution("print('before')\n1 / 0")
    assert result == "before\nZeroDivisionError: division by zero"
    assert result.error is not None
    assert (result.ok, result.error.ename, bool(result.error.traceback)) == (
        False,
        "ZeroDivisionError",
        True,
    )


def test_a_timeout_is_in_the_result_and_the_session_lives_on(factory: SidecarREPLFactory) -> None:
    with factory.create_env() as env:
        env.code_execution("x = 1")
        result = env.code_execution("while True: pass", timeout=0.3)
        assert (result.status, result.state) == ("timeout", "kept")
        assert env.code_execution("x") == "1"


def test_a_factory_works_from_one_event_loop_after_another(factory: SidecarREPLFactory) -> None:
    session_id = asyncio.run(factory.create_session())
    asyncio.run(factory.execute_in_session(session_id, "x = 1"))
    assert asyncio.run(factory.execute_in_session(session_id, "x")) == "1"
    asyncio.run(factory.destroy_session(session_id))


def test_many_sessions_at_once_do_not_mix(factory: SidecarREPLFactory) -> None:
    async def one(number: int) -> str:
        session_id = await factory.create_session()
        try:
            await factory.execute_in_session(session_id, f"x = {number}")
            return await factory.execute_in_session(session_id, "x")
        finally:
            await factory.destroy_session(session_id)

    async def all_of_them() -> list[str]:
        return await asyncio.gather(*(one(number) for number in range(12)))

    assert asyncio.run(all_of_them()) == [str(number) for number in range(12)]


def test_an_unknown_session_is_a_typed_error(factory: SidecarREPLFactory) -> None:
    for call in (
        factory.execute_in_session("no-such-session", "1"),
        factory.destroy_session("no-such-session"),
    ):
        with pytest.raises(SessionNotFound):
            asyncio.run(call)


def test_without_settings_the_manager_is_expected_on_port_8080(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("WASM_MANAGER_SERVICE_URL", "RLM_KERNEL_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    assert create_sidecar_repl_factory() == SidecarREPLFactory("http://localhost:8080")


def test_an_address_that_is_none_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError):
        create_sidecar_repl_factory("not an address")


def test_a_manager_that_is_not_there_is_said_to_be_unavailable() -> None:
    with pytest.raises(ManagerUnavailable):
        SidecarREPLEnv(SidecarREPLFactory("http://127.0.0.1:9"))


def test_the_token_is_not_shown(factory: SidecarREPLFactory) -> None:
    assert factory.token is not None
    assert factory.token not in repr(factory)
