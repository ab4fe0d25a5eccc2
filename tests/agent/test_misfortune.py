"""What a run does when something breaks under it, or when it is told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import pytest

from rlm_kernel.agent import (
    RLM_REPL,
    AnswerGiven,
    CodeFinished,
    CodeStarted,
    Completion,
    Message,
    OutputWritten,
    RunOptions,
    SessionOpened,
    SidecarREPLFactory,
)
from rlm_kernel.agent.context import ContextFile
from rlm_kernel.agent.manager_process import ManagerProcess
from rlm_kernel.agent.session.connection import KernelConnection
from rlm_kernel.agent.session.zmq_channels import ZMQChannels
from rlm_kernel.errors import (
    AgentError,
    ConfigurationError,
    ManagerUnavailable,
    ModelError,
    SessionNotFound,
)
from rlm_kernel.manager.client import ManagerClient
from rlm_kernel.testing import ChatRequest, Failure, Script, ScriptedModelServer, Stall, Step
from tests.agent.conftest import open_sessions
from tests.agent.processes import below, wait_for_end
from tests.agent.runs import code, collect, model_of, run_script

FOREVER = code("print('started')\nwhile True: pass")


def rlm_of(server: ScriptedModelServer, factory: SidecarREPLFactory, **options: float) -> RLM_REPL:
    limits = RunOptions(**options)  # type: ignore[arg-type]
    return RLM_REPL(model_of(server), repl_factory=factory, options=limits)


def client_of(manager: ManagerProcess) -> ManagerClient:
    return ManagerClient(manager.url, token=manager.token)


def is_kept(told: str) -> bool:
    """Whether the model was told that the cell before the last is not undone.

    A copy that has taken over may be killed as well, before it has done anything.
    """
    return "back in the state before this cell." in told and "All variables" not in told


def meanwhile(manager: ManagerProcess, action: str, replies: list[str]) -> Script:
    """A script that does something to the manager's only session before its second reply."""

    async def act() -> None:
        async with client_of(manager) as client:
            (session,) = await client.list_sessions()
            await getattr(client, action)(session.session_id)

    def reply(request: ChatRequest) -> Step:
        if request.index == 1:
            asyncio.run(act())
        return replies[request.index]

    return reply


def test_a_model_that_fails_ends_the_run_with_its_error(factory: SidecarREPLFactory) -> None:
    with pytest.raises(ModelError, match="out of order"):
        run_script(factory, [code("x = 1"), Failure(400, "out of order")])


def test_a_context_that_cannot_travel_is_refused_before_anything_starts(
    factory: SidecarREPLFactory,
) -> None:
    with pytest.raises(ConfigurationError, match="is of type object"):
        run_script(factory, [], [object()])


def test_a_manager_that_is_not_there_is_said_to_be_unavailable() -> None:
    factory = SidecarREPLFactory("http://127.0.0.1:9")
    with pytest.raises(ManagerUnavailable, match=r"127\.0\.0\.1:9"):
        run_script(factory, [])


def test_a_context_that_the_session_cannot_hold_is_an_error_that_says_so(
    factory: SidecarREPLFactory,
) -> None:
    async def run() -> None:
        session = await factory.open_environment()
        try:
            broken = ContextFile("json", 1, "dict", "", lambda: [b"{"])
            with pytest.raises(AgentError, match=r"could not be loaded .* JSONDecodeError"):
                await session.load(broken, sub_calls=True, recursion=False)
        finally:
            await session.close()

    asyncio.run(run())


def test_a_cell_out_of_time_is_interrupted_and_its_variables_are_kept(
    factory: SidecarREPLFactory,
) -> None:
    script = [code("x = 1\nwhile True: pass"), code("FINAL(x)")]
    record = run_script(factory, script, cell_timeout_s=0.5)
    assert (record.answer.text, record.states) == ("1", ["kept", "kept"])
    assert "stopped because it took longer than 0.5 seconds" in record.told[1]
    assert "Variables it had assigned by then are kept." in record.told[1]


def test_a_cell_that_has_to_be_killed_is_told_with_the_truth_about_its_variables(
    factory: SidecarREPLFactory,
) -> None:
    stubborn = "while True:\n    try:\n        while True: pass\n    except BaseException: pass"
    script = [code("x = 1"), code(stubborn), code("FINAL((len(context), 'x' in globals()))")]
    record = run_script(factory, script, "abc", cell_timeout_s=0.5)
    killed = record.states[1]
    assert killed in ("lost", "rolled_back")
    assert record.answer.text == str((3, is_kept(record.told[2])))
    expected = "All variables" if killed == "lost" else "What it did is undone"
    assert expected in record.told[2]
    assert "stopped because it took longer than 0.5 seconds" in record.told[2]


def test_a_process_that_ends_itself_costs_its_cell_and_the_model_is_told_so(
    factory: SidecarREPLFactory,
) -> None:
    script = [code("x = 1\nimport os; os._exit(3)"), code("FINAL(('x' in globals(), context))")]
    record = run_script(factory, script, "abc")
    assert record.answer.text == "(False, 'abc')"
    assert "SessionDied" in record.told[1]
    expected = "All variables" if record.states[0] == "lost" else "What it did is undone"
    assert expected in record.told[1]


def test_a_session_killed_from_outside_in_mid_cell_goes_on_with_its_context(
    factory: SidecarREPLFactory, manager: ManagerProcess
) -> None:
    """The standby may be killed as well, or take over first: both are told as they are."""

    async def run() -> None:
        before = below(manager.pid)
        states = []
        seen = code("FINAL((context, 'x' in globals()))")
        with ScriptedModelServer([code("x = 1"), FOREVER, seen]) as server:
            rlm = rlm_of(server, factory)
            async with aclosing(rlm.astream("abc")) as events:
                async for event in events:
                    if isinstance(event, OutputWritten) and "started" in event.text:
                        for process in below(manager.pid) - before:
                            os.kill(process, signal.SIGKILL)
                    if isinstance(event, CodeFinished) and not event.ok:
                        states.append(event.state)
            assert rlm.last_answer is not None
            assert states in (["lost"], ["rolled_back"])
            told = server.requests[-1].last
            assert rlm.last_answer.text == str(("abc", is_kept(told)))

    asyncio.run(run())


def test_a_session_that_somebody_restarts_between_two_cells_is_noticed_and_furnished_again(
    factory: SidecarREPLFactory, manager: ManagerProcess
) -> None:
    record = run_script(
        factory,
        meanwhile(manager, "restart", [code("x = 1"), code("x"), code("FINAL(context)")]),
        "abc",
    )
    assert record.answer.text == "abc"
    assert record.states == ["kept", "lost", "kept"]
    assert "All variables, functions and imports of yours are gone" in record.told[2]


def test_a_session_that_somebody_deletes_ends_the_run(
    factory: SidecarREPLFactory, manager: ManagerProcess
) -> None:
    with pytest.raises(SessionNotFound):
        run_script(factory, meanwhile(manager, "delete_session", [code("x = 1"), code("x")]))


def test_a_session_deleted_while_its_cell_runs_ends_the_run(
    factory: SidecarREPLFactory, manager: ManagerProcess
) -> None:
    async def run() -> None:
        with ScriptedModelServer([FOREVER]) as server:
            async with aclosing(rlm_of(server, factory).astream()) as events:
                async for event in events:
                    if isinstance(event, OutputWritten):
                        async with client_of(manager) as client:
                            await client.delete_all()

    with pytest.raises(SessionNotFound):
        asyncio.run(run())


def test_a_cancelled_run_stops_its_cell_and_deletes_its_session(
    factory: SidecarREPLFactory, manager: ManagerProcess
) -> None:
    async def run() -> None:
        before = below(manager.pid)
        with ScriptedModelServer([FOREVER]) as server:
            rlm = rlm_of(server, factory)
            started = asyncio.Event()
            running = asyncio.create_task(consume(rlm, started))
            await started.wait()
            during = below(manager.pid) - before
            assert during
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            wait_for_end(during)
            assert await open_sessions(manager) == []

    async def consume(rlm: RLM_REPL, started: asyncio.Event) -> None:
        async for event in rlm.astream():
            if isinstance(event, OutputWritten):
                started.set()

    asyncio.run(run())


def test_a_run_cancelled_while_the_model_thinks_gives_the_call_up(
    factory: SidecarREPLFactory, manager: ManagerProcess
) -> None:
    async def run() -> None:
        with ScriptedModelServer([Stall()]) as server:
            running = asyncio.create_task(rlm_of(server, factory).acompletion("abc", "?"))
            await asyncio.to_thread(server.wait_for_requests, 1, 60)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            assert await open_sessions(manager) == []
            await asyncio.to_thread(server.wait_for_hangups)

    asyncio.run(run())


def test_a_stream_left_early_ends_its_run(
    factory: SidecarREPLFactory, manager: ManagerProcess
) -> None:
    async def run() -> None:
        with ScriptedModelServer([FOREVER]) as server:
            async with aclosing(rlm_of(server, factory).astream()) as events:
                async for event in events:
                    if isinstance(event, CodeStarted):
                        break
            assert await open_sessions(manager) == []

    asyncio.run(run())


@pytest.fixture(scope="module")
def impatient() -> Iterator[ManagerProcess]:
    """A manager of this module's own, whose idle sessions expire soon."""
    before = os.environ.get("SESSION_TTL")
    os.environ["SESSION_TTL"] = "3"
    try:
        process = ManagerProcess()
    finally:
        os.environ.pop("SESSION_TTL") if before is None else os.environ.update(SESSION_TTL=before)
    with process:
        yield process


class CutOff:
    """A model during whose second reply nothing of the agent reaches its session, which expires."""

    name = "cut off"

    def __init__(self, manager: ManagerProcess, replies: list[str]) -> None:
        self._manager = manager
        self._replies = replies
        self.told: list[str] = []
        self.connection: KernelConnection | None = None

    async def complete(
        self, messages: Sequence[Message], *, max_output_tokens: int | None = None
    ) -> Completion:
        self.told.append(messages[-1].content)
        if len(self.told) == 2:
            assert self.connection is not None
            # As long as it listens it is attached, and keeps its session.
            assert isinstance(self.connection._channels, ZMQChannels)
            self.connection._channels._client.iopub_channel.socket.unsubscribe(b"")
            while await open_sessions(self._manager):  # noqa: ASYNC110 nobody tells of an expiry
                await asyncio.sleep(0.05)
        return Completion(self._replies[len(self.told) - 1], 1, 1, None)


def test_a_session_that_expires_while_the_model_thinks_is_replaced_and_the_model_told_so(
    impatient: ManagerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    factory = SidecarREPLFactory(impatient.url, impatient.token)
    model = CutOff(impatient, [code("x = 1"), code("x"), code("FINAL(context)")])
    connect = KernelConnection.open

    async def open_and_note(info: Mapping[str, Any]) -> KernelConnection:
        model.connection = await connect(info)
        return model.connection

    monkeypatch.setattr(KernelConnection, "open", open_and_note)
    events = asyncio.run(collect(RLM_REPL(model, repl_factory=factory), "abc", "?"))
    assert isinstance(events[-1], AnswerGiven)
    assert events[-1].text == "abc"
    ended = [event for event in events if isinstance(event, CodeFinished)]
    assert [event.state for event in ended] == ["kept", "lost", "kept"]
    assert "SessionExpired" in model.told[2]
    assert "All variables, functions and imports of yours are gone" in model.told[2]
    opened = [event for event in events if isinstance(event, SessionOpened)]
    assert len({event.session_id for event in opened}) == 2


def test_a_manager_that_is_killed_while_a_cell_runs_ends_the_run(
    impatient: ManagerProcess,
) -> None:
    async def run() -> None:
        factory = SidecarREPLFactory(impatient.url, impatient.token)
        with ScriptedModelServer(lambda request: FOREVER) as server:
            async with aclosing(rlm_of(server, factory).astream()) as events:
                async for event in events:
                    if isinstance(event, OutputWritten):
                        os.kill(impatient.pid, signal.SIGKILL)

    sessions = below(impatient.pid)
    with pytest.raises(ManagerUnavailable):
        asyncio.run(run())
    impatient.stop()
    wait_for_end(sessions)
