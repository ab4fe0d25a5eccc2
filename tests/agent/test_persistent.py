"""Conversations of several questions: variables and what was said last from one to the next."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator

import pytest

from rlm_kernel.agent import RLM_REPL, OutputWritten, RunOptions, SessionOpened, SidecarREPLFactory
from rlm_kernel.agent.manager_process import ManagerProcess
from rlm_kernel.errors import ConversationBusy, ManagerUnavailable, ModelError
from rlm_kernel.manager.client import ManagerClient
from rlm_kernel.testing import Failure, ScriptedModelServer, Stall, Step
from tests.agent.conftest import open_sessions
from tests.agent.runs import code, collect, model_of

GONE = "The session in which you worked is gone"


def persistent(server: ScriptedModelServer, factory: SidecarREPLFactory) -> RLM_REPL:
    return RLM_REPL(model_of(server), repl_factory=factory, persistent=True)


async def act(manager: ManagerProcess, action: str) -> None:
    async with ManagerClient(manager.url, token=manager.token) as client:
        (session,) = await client.list_sessions()
        await getattr(client, action)(session.session_id)


def test_variables_and_the_conversation_last_over_questions_of_several_event_loops(
    factory: SidecarREPLFactory, manager: ManagerProcess
) -> None:
    script = [code("n = len(context)\nFINAL(n)"), code("FINAL((n, context))")]
    with ScriptedModelServer(script) as server:
        with persistent(server, factory) as rlm:
            assert rlm.completion("abc", "How long?") == "3"
            assert rlm.completion("", "And what was it?") == "(3, 'abc')"
            assert len(asyncio.run(open_sessions(manager))) == 1
        assert asyncio.run(open_sessions(manager)) == []
        first, second = (request.messages for request in server.requests)
    assert second[:2] == first
    assert second[2] == {"role": "assistant", "content": script[0]}
    assert "And what was it?" in second[3]["content"]
    assert "`context` is what it was." in second[3]["content"]


def test_each_context_has_a_number_and_earlier_answers_are_in_the_history(
    factory: SidecarREPLFactory,
) -> None:
    seen = "(context, context_0, context_1, [h['answer'] for h in history], history[0]['query'])"
    script = [code("FINAL(history)"), code("FINAL(5)"), code(f"FINAL({seen})")]
    with ScriptedModelServer(script) as server, persistent(server, factory) as rlm:
        assert rlm.completion("zero", "One?") == "[]"
        assert rlm.completion(["one"], "Two?") == "5"
        assert rlm.completion(query="Three?") == ("(['one'], 'zero', ['one'], ['[]', '5'], 'One?')")


def test_a_small_model_is_told_of_what_is_there_from_earlier_questions(
    factory: SidecarREPLFactory,
) -> None:
    seen = "(context_0, context_1, context_2, history[-1]['answer'])"
    script = [code("FINAL(0)"), code("FINAL(1)"), code("FINAL(2)"), code(f"FINAL({seen})")]
    with ScriptedModelServer(script) as server:
        options = RunOptions(prompts="small")
        with RLM_REPL(
            model_of(server), repl_factory=factory, persistent=True, options=options
        ) as rlm:
            for context in ("zero", "one", ""):
                rlm.completion(context, "?")
            assert rlm.completion("two", "?") == "('zero', 'one', 'two', '2')"
        told = [request.last for request in server.requests]
    assert "history" not in server.requests[0].messages[0]["content"] + told[0]
    assert "Also defined: `context_0` (earlier data), `history` (" in told[1]
    assert "Also defined: `context_0` (earlier data), `history` (" in told[2]
    assert "Also defined: `context_0` to `context_1` (earlier data), `history` (" in told[3]


def test_it_also_works_as_an_asynchronous_context_manager_and_as_a_stream(
    factory: SidecarREPLFactory, manager: ManagerProcess
) -> None:
    async def run() -> None:
        with ScriptedModelServer([code("x = 1\nFINAL(x)"), code("FINAL(x + 1)")]) as server:
            async with persistent(server, factory) as rlm:
                await rlm.acompletion()
                events = await collect(rlm, "", "?")
                assert rlm.last_answer is not None
                assert rlm.last_answer.text == "2"
                assert any(isinstance(event, SessionOpened) for event in events)
            assert await open_sessions(manager) == []

    asyncio.run(run())


def test_after_close_and_after_reset_a_new_conversation_begins(
    factory: SidecarREPLFactory, manager: ManagerProcess
) -> None:
    seen = code("FINAL(('x' in globals(), context, len(history)))")
    script = [code("x = 1\nFINAL(x)"), seen, seen]
    with ScriptedModelServer(script) as server, persistent(server, factory) as rlm:
        rlm.completion("abc")
        rlm.close()
        rlm.close()
        assert asyncio.run(open_sessions(manager)) == []
        assert rlm.completion("new") == "(False, 'new', 0)"
        rlm.reset()
        assert rlm.completion("newer") == "(False, 'newer', 0)"
        assert [len(request.messages) for request in server.requests] == [2, 2, 2]


@pytest.mark.parametrize("action", ["restart", "delete_session"])
def test_a_session_lost_between_two_questions_is_furnished_again_and_the_model_told(
    factory: SidecarREPLFactory, manager: ManagerProcess, action: str
) -> None:
    seen = "('x' in globals(), context, context_0, context_1, len(history))"
    script = [code("x = 1\nFINAL(x)"), code("FINAL(2)"), code(f"FINAL({seen})")]
    with ScriptedModelServer(script) as server, persistent(server, factory) as rlm:
        rlm.completion("zero", "One?")
        rlm.completion("one", "Two?")
        asyncio.run(act(manager, action))
        assert rlm.completion(query="Three?") == "(False, 'one', 'zero', 'one', 2)"
        assert GONE not in server.requests[1].last
        assert server.requests[2].last.startswith(GONE)
        assert len(asyncio.run(open_sessions(manager))) == 1


@pytest.fixture
def short_lived() -> Iterator[ManagerProcess]:
    """A manager whose idle sessions expire soon."""
    before = os.environ.get("SESSION_TTL")
    os.environ["SESSION_TTL"] = "1"
    try:
        process = ManagerProcess()
    finally:
        os.environ.pop("SESSION_TTL") if before is None else os.environ.update(SESSION_TTL=before)
    with process:
        yield process


def test_a_session_that_expires_between_two_questions_is_told_of(
    short_lived: ManagerProcess,
) -> None:
    factory = SidecarREPLFactory(short_lived.url, short_lived.token)
    script = [code("x = 1\nFINAL(x)"), code("FINAL(('x' in globals(), context))")]
    with ScriptedModelServer(script) as server, persistent(server, factory) as rlm:
        rlm.completion("abc")
        while asyncio.run(open_sessions(short_lived)):
            time.sleep(0.05)
        assert rlm.completion() == "(False, 'abc')"
        assert server.requests[1].last.startswith(GONE)


def test_one_question_at_a_time_is_answered(factory: SidecarREPLFactory) -> None:
    async def run() -> None:
        with ScriptedModelServer([Stall(), code("FINAL(1)")]) as server:
            async with persistent(server, factory) as rlm:
                running = asyncio.create_task(rlm.acompletion())
                await asyncio.to_thread(server.wait_for_requests, 1, 60)
                with pytest.raises(ConversationBusy):
                    await rlm.acompletion()
                with pytest.raises(ConversationBusy):
                    await rlm.aclose()
                running.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await running
                assert await rlm.acompletion() == "1"

    asyncio.run(run())


@pytest.mark.parametrize(
    ("cell", "kept"),
    [
        ("while True: pass", True),
        ("import time; time.sleep(1000)", True),
        ("llm_query('stall')", True),
        ("while True:\n    try:\n        while True: pass\n    except BaseException: pass", False),
    ],
    ids=["busy", "asleep", "asking", "stubborn"],
)
def test_a_cancelled_question_stops_its_cell_and_keeps_the_session_where_that_ends(
    factory: SidecarREPLFactory, cell: str, kept: bool
) -> None:
    async def run() -> None:
        running = code(f"y = 2\nprint('started', flush=True)\n{cell}")
        steps: list[Step] = [code("x = 1\nFINAL(x)"), running]
        steps += [Stall()] if "llm" in cell else []
        seen = code("FINAL(['x' in globals(), 'y' in globals(), context])")
        with ScriptedModelServer([*steps, seen]) as server:
            async with persistent(server, factory) as rlm:
                await rlm.acompletion("abc")
                async for event in (events := rlm.astream(query="Again?")):
                    if isinstance(event, OutputWritten):
                        if "llm" in cell:
                            await asyncio.to_thread(server.wait_for_requests, 3, 60)
                        break
                await events.aclose()
                answer = await rlm.acompletion(query="And now?")
                told = server.requests[-1].last
        assert answer.endswith("'abc']")
        assert answer.startswith("[True, True" if kept else "[False, False")
        assert (GONE in told) == (not kept)

    asyncio.run(run())


def test_after_a_failure_the_next_question_goes_on_where_it_was(
    factory: SidecarREPLFactory,
) -> None:
    script: list[Step] = [code("x = 1"), Failure(400, "out of order"), code("FINAL(x)")]
    with ScriptedModelServer(script) as server, persistent(server, factory) as rlm:
        with pytest.raises(ModelError):
            rlm.completion("abc", "First?")
        assert rlm.completion(query="Second?") == "1"
        roles = [message["role"] for message in server.requests[-1].messages]
        assert roles == ["system", "user", "assistant", "user"]
        assert server.requests[-1].last.startswith("Output:\n(The code ran")
        assert "Second?" in server.requests[-1].last


def test_a_context_that_does_not_fit_leaves_the_conversation_as_it_was(
    factory: SidecarREPLFactory,
) -> None:
    options = RunOptions(context_limit=100)
    with (
        ScriptedModelServer([code("FINAL(1)"), code("FINAL(context)")]) as server,
        RLM_REPL(model_of(server), repl_factory=factory, persistent=True, options=options) as rlm,
    ):
        rlm.completion("abc")
        with pytest.raises(Exception, match="may have 100"):
            rlm.completion("x" * 101)
        assert rlm.completion() == "abc"


def test_a_manager_that_has_gone_is_unavailable_and_closing_does_not_fail(
    short_lived: ManagerProcess,
) -> None:
    factory = SidecarREPLFactory(short_lived.url, short_lived.token)
    with ScriptedModelServer([code("FINAL(1)")]) as server, persistent(server, factory) as rlm:
        rlm.completion()
        short_lived.stop()
        with pytest.raises(ManagerUnavailable):
            rlm.completion()
