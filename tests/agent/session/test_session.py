"""A manager's session as the environment of a run, below the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from rlm_kernel.agent import SidecarREPLFactory
from rlm_kernel.agent.context import pack_context
from rlm_kernel.agent.environment import CellResult, Environment, HostCallFailedError
from rlm_kernel.agent.events import OutputKind, RichOutput
from rlm_kernel.agent.manager_process import ManagerProcess
from rlm_kernel.agent.session import hosted_session
from rlm_kernel.errors import AgentError
from rlm_kernel.manager.client import ManagerClient
from tests.agent.conftest import open_sessions

Use = Callable[[Environment], Awaitable[None]]


@pytest.fixture(autouse=True, params=["near", "far"])
def distance(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A session's ports are used on its machine, and the manager's WebSocket from another."""
    if request.param == "far":

        async def never(url: str, connection: Mapping[str, Any]) -> bool:
            return False

        monkeypatch.setattr(hosted_session, "are_within_reach", never)
    return str(request.param)


def ignore(kind: OutputKind, text: str, rich: RichOutput | None = None) -> None:
    pass


async def double(name: str, args: dict[str, Any]) -> Any:
    if name != "double":
        raise HostCallFailedError("Unknown", name)
    return args["n"] * 2


async def run(environment: Environment, cell: str) -> CellResult:
    return await environment.execute(cell, timeout_s=30, on_output=ignore, on_host_call=double)


def in_a_session(factory: SidecarREPLFactory, use: Use) -> None:
    async def with_session() -> None:
        environment = await factory.open_environment()
        try:
            await environment.load(pack_context("abc"), sub_calls=True, recursion=False)
            await use(environment)
        finally:
            await environment.close()

    asyncio.run(with_session())


def test_any_host_call_goes_to_who_runs_the_cell(factory: SidecarREPLFactory) -> None:
    async def use(environment: Environment) -> None:
        await run(environment, "from rlm_kernel.guest.host import call, HostCallError")
        result = await run(environment, "FINAL(call('double', {'n': 21}))")
        assert result.answer is not None
        assert result.answer.text == "42"
        failed = await run(environment, "call('treble', {})")
        assert failed.error == ("HostCallError", "Unknown: treble")

    in_a_session(factory, use)


def test_a_host_call_that_breaks_on_our_side_fails_in_the_session_and_does_not_hang(
    factory: SidecarREPLFactory,
) -> None:
    async def use(environment: Environment) -> None:
        cell = "from rlm_kernel.guest.host import call\ncall('double', {})"
        assert (await run(environment, cell)).error == ("HostCallError", "KeyError: 'n'")

    in_a_session(factory, use)


def test_an_error_of_whoever_takes_the_output_comes_out_and_does_not_hang(
    factory: SidecarREPLFactory,
) -> None:
    def fail(kind: OutputKind, text: str, rich: RichOutput | None = None) -> None:
        raise LookupError("no screen")

    async def use(environment: Environment) -> None:
        with pytest.raises(LookupError, match="no screen"):
            await environment.execute("print(1)", timeout_s=30, on_output=fail, on_host_call=double)

    in_a_session(factory, use)


def test_output_without_a_text_form_is_named(factory: SidecarREPLFactory) -> None:
    shown: list[tuple[OutputKind, str, RichOutput | None]] = []

    def keep(kind: OutputKind, text: str, rich: RichOutput | None = None) -> None:
        shown.append((kind, text, rich))

    async def use(environment: Environment) -> None:
        cell = (
            "from IPython.display import display\n"
            "display({'image/png': 'iVBO'}, raw=True)\n"
            "display({'text/plain': 'p', 'text/html': '<p>'}, raw=True)"
        )
        await environment.execute(cell, timeout_s=30, on_output=keep, on_host_call=double)

    in_a_session(factory, use)
    assert [(kind, text) for kind, text, _ in shown] == [
        ("display", "<image/png>\n"),
        ("display", "p\n"),
    ]
    bundles = [rich.content["data"] for _, _, rich in shown if rich is not None]
    assert bundles == [{"image/png": "iVBO"}, {"text/plain": "p", "text/html": "<p>"}]


def test_what_others_run_in_the_session_is_not_this_runs_output(
    factory: SidecarREPLFactory, manager: ManagerProcess
) -> None:
    shown: list[str] = []

    async def use(environment: Environment) -> None:
        async with ManagerClient(manager.url, token=manager.token) as client:
            await client.execute(environment.session_id, "print('theirs'); y = 1; FINAL('theirs')")
        result = await environment.execute(
            "print('ours', y)",
            timeout_s=30,
            on_output=lambda kind, text, rich=None: shown.append(text),
            on_host_call=double,
        )
        assert (result.answer, result.state) == (None, "kept")

    in_a_session(factory, use)
    assert "".join(shown) == "ours 1\n"


def test_reset_by_the_model_itself_gives_its_functions_back(factory: SidecarREPLFactory) -> None:
    async def use(environment: Environment) -> None:
        assert (await run(environment, "x = 1\n%reset -f")).state == "lost"
        result = await run(environment, "FINAL((context, 'x' in globals()))")
        assert result.answer is not None
        assert result.answer.text == "('abc', False)"

    in_a_session(factory, use)


def test_a_session_that_was_left_is_come_back_to(factory: SidecarREPLFactory) -> None:
    async def use(environment: Environment) -> None:
        await run(environment, "x = 41")
        await environment.suspend()
        assert await environment.resume()
        result = await run(environment, "FINAL(x + 1)")
        assert result.answer is not None
        assert result.answer.text == "42"

    in_a_session(factory, use)


def test_closing_ends_the_session_once_and_for_all(
    factory: SidecarREPLFactory, manager: ManagerProcess
) -> None:
    async def with_session() -> None:
        environment = await factory.open_environment()
        await environment.close()
        await environment.close()
        assert await open_sessions(manager) == []
        with pytest.raises(AgentError, match="closed"):
            await run(environment, "1")

    asyncio.run(with_session())


def test_a_session_cancelled_while_it_is_made_is_not_left_behind(
    factory: SidecarREPLFactory, manager: ManagerProcess
) -> None:
    async def cancelled_after(steps: int) -> None:
        opening = asyncio.create_task(opened())
        for _ in range(steps):
            await asyncio.sleep(0)
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        assert await open_sessions(manager) == []

    async def opened() -> None:
        environment = await factory.open_environment()
        await environment.close()

    for steps in (0, 1, 5, 20, 50):
        asyncio.run(cancelled_after(steps))


@pytest.mark.parametrize("state", [{"answered": True}, [1], {"answered": True, "text": 5}, None])
def test_an_answer_of_a_form_that_the_session_never_gives_is_none(
    factory: SidecarREPLFactory, state: object
) -> None:
    """Code can change what gives it."""

    async def use(environment: Environment) -> None:
        forged = f"a = _rlm.answered()\na._state = {state!r}\n_rlm.answered = lambda: a"
        result = await run(environment, forged)
        assert (result.error, result.answer, result.state) == (None, None, "kept")

    in_a_session(factory, use)
