"""Child runs: in sessions of their own, in copies of their parent's, many at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest

from rlm_kernel.agent import (
    RLM_REPL,
    Event,
    OutputWritten,
    RunFailed,
    RunOptions,
    RunStarted,
    SessionOpened,
    SidecarREPLFactory,
    SubCallFinished,
    SubCallStarted,
)
from rlm_kernel.agent.manager_process import ManagerProcess
from rlm_kernel.testing import ChatRequest, Failure, ScriptedModelServer, Stall, Step
from tests.agent.conftest import open_sessions
from tests.agent.runs import Record, code, collect, model_of, run_script


def tree(root: str, child: Callable[[str], Step], *, then: str = "FINAL(done)") -> object:
    """A script: the root's first reply and its others, and what `child` makes of a task."""

    def reply(request: ChatRequest) -> Step:
        question = str(request.messages[1]["content"]) if len(request.messages) > 1 else ""
        if "Question: What is it?" in question:
            return root if len(request.messages) == 2 else then
        return child(question.rpartition("Question: ")[2] or request.last)

    return reply


def run_tree(
    factory: SidecarREPLFactory, cell: str, child: Callable[[str], Step], **options: object
) -> Record:
    script = tree(code(cell), child)
    return run_script(factory, script, "of the root", max_depth=2, **options)  # type: ignore[arg-type]


def failures(events: list[Event]) -> dict[str, str]:
    return {event.run: event.code for event in events if isinstance(event, RunFailed)}


def test_a_child_in_a_copy_sees_its_parents_data_and_changes_only_its_own(
    factory: SidecarREPLFactory,
) -> None:
    cell = (
        "class Thing:\n    size = 7\n"
        "things, text = [Thing()], 'mine'\n"
        "found = rlm_query('look', fork=True)\n"
        "FINAL(f'{found}, {text}, {len(things)}')"
    )
    look = "text = 'copied'\nthings.append(1)\nFINAL(f'{things[0].size} {context}')"
    record = run_tree(factory, cell, lambda task: code(look))
    assert record.answer.text == "7 of the root, mine, 1"
    assert "a copy of the one of the agent that asks you" in record.requests[1][1]["content"]
    opened = [event.session_id for event in record.events if isinstance(event, SessionOpened)]
    assert len(set(opened)) == 2


def test_a_child_in_a_copy_may_be_given_any_object_as_its_context(
    factory: SidecarREPLFactory,
) -> None:
    cell = "class Box:\n    inside = 5\nFINAL(rlm_query('open', context=Box(), fork=True))"
    record = run_tree(factory, cell, lambda task: code("FINAL(context.inside)"))
    assert record.answer.text == "5"
    (child,) = (e for e in record.events if isinstance(e, RunStarted) and e.depth == 1)
    assert (child.context_type, child.context_note) == ("Box", "an object")


def test_the_cell_of_the_parent_goes_on_only_in_the_parent(factory: SidecarREPLFactory) -> None:
    cell = "trace = []\nrlm_query('look', fork=True)\ntrace.append(1)\nFINAL(trace)"
    record = run_tree(factory, cell, lambda task: code("print(trace)\nFINAL('x')"))
    shown = [(e.run, e.text) for e in record.events if isinstance(e, OutputWritten)]
    assert shown == [("0.1", "[]\n")]
    assert record.answer.text == "[1]"


def test_copies_are_made_within_a_cell_that_awaits(factory: SidecarREPLFactory) -> None:
    cell = (
        "import asyncio\nx = 20\n"
        "both = await asyncio.gather(*(arlm_query(f'add {n}', fork=True) for n in (1, 2)))\n"
        "FINAL(both)"
    )
    record = run_tree(factory, cell, lambda task: code(f"FINAL(x + {task.split()[-1]})"))
    assert record.answer.text == "['21', '22']"


def test_a_copy_of_a_copy(factory: SidecarREPLFactory) -> None:
    def child(task: str) -> Step:
        if task == "deeper":
            return code("z = y + 1\nFINAL(z)")
        return code("y = x + 1\nFINAL(rlm_query('deeper', fork=True))")

    cell = "x = 1\nFINAL(rlm_query('look', fork=True))"
    script = tree(code(cell), child)
    record = run_script(factory, script, max_depth=3)  # type: ignore[arg-type]
    assert record.answer.text == "3"


def test_a_cell_that_ignores_interrupts_cannot_be_copied_and_is_told_so(
    factory: SidecarREPLFactory,
) -> None:
    cell = (
        "codes = []\n"
        "while len(codes) < 1:\n"
        "    try:\n        rlm_query('look', fork=True)\n"
        "    except LLMQueryError as error:\n        codes.append(error.code)\n"
        "    except BaseException:\n        pass\n"
        "FINAL(codes)"
    )
    record = run_tree(factory, cell, lambda task: "never asked")
    assert record.answer.text == "['fork_failed']"
    assert failures(record.events) == {"0.1": "fork_failed"}


def test_a_batch_keeps_its_order_and_each_failure_is_its_own(factory: SidecarREPLFactory) -> None:
    def child(task: str) -> Step:
        return Failure(400, "bad") if task == "t1" else code(f"FINAL('{task} ' + context)")

    cell = (
        "r = rlm_query_batched(['t0', 't1', 't2'], ['a', 'b', 'c'])\n"
        "FINAL([getattr(each, 'code', each) for each in r])"
    )
    record = run_tree(factory, cell, child)
    assert record.answer.text == "['t0 a', 'model_failed', 't2 c']"
    assert failures(record.events) == {"0.2": "model_failed"}
    started = [e for e in record.events if isinstance(e, SubCallStarted)]
    assert [(e.function, e.child, e.prompt) for e in started] == [
        ("rlm_query_batched", f"0.{number}", f"t{number - 1}") for number in (1, 2, 3)
    ]
    ended = {e.call: e.error for e in record.events if isinstance(e, SubCallFinished)}
    assert [error is None for _, error in sorted(ended.items())] == [True, False, True]


def test_a_child_may_be_of_the_other_model(factory: SidecarREPLFactory) -> None:
    cell = "FINAL(rlm_query('t', model='openai/scripted'))"
    record = run_tree(factory, cell, lambda task: "FINAL(5)")
    assert record.answer.text == "5"
    cell = "try:\n    rlm_query('t', model='x')\nexcept LLMQueryError as e:\n    FINAL(e.code)"
    assert run_tree(factory, cell, lambda task: "never").answer.text == "unknown_model"


def test_a_context_of_twenty_megabytes_reaches_a_child_in_a_session_of_its_own(
    factory: SidecarREPLFactory,
) -> None:
    cell = "secret = 1\nFINAL(rlm_query('t', ['é' * (10 << 20), (1, b'2')]))"
    look = "FINAL([len(context[0]), context[0][-1], context[1], 'secret' in globals()])"
    record = run_tree(factory, cell, lambda task: code(look))
    assert record.answer.text == f"[{10 << 20}, 'é', (1, b'2'), False]"
    opened = [event.run for event in record.events if isinstance(event, SessionOpened)]
    assert opened == ["0", "0.1"]


@pytest.mark.parametrize("fork", [False, True])
def test_at_the_limit_a_model_reads_the_context_and_is_told_so(
    factory: SidecarREPLFactory, fork: bool
) -> None:
    cell = f"FINAL(rlm_query('Sum it.', context=[1, 2], fork={fork}))"
    record = run_script(factory, [code(cell), "three"], max_depth=1)
    assert record.answer.text == "three"
    (message,) = record.requests[1]
    assert message["content"] == (
        "Sum it.\n\nNothing can be run or looked up for this: answer from the text below alone. "
        "It is 6 characters.\n\n[1, 2]"
    )
    (started,) = (e for e in record.events if isinstance(e, SubCallStarted))
    assert (started.function, started.child) == ("rlm_query", None)


def test_at_the_limit_too_long_a_context_is_cut_and_the_model_is_told(
    factory: SidecarREPLFactory,
) -> None:
    cell = "FINAL(rlm_query('t', context='x' * 300_000))"
    record = run_script(factory, [code(cell), "read"], max_depth=1)
    told = record.requests[1][0]["content"]
    assert "It is the first 200,000 of 300,000 characters." in told
    assert len(told) < 201_000


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[ManagerProcess]:
    """A manager with room for three sessions."""
    monkeypatch.setenv("MAX_SESSIONS", "3")
    with ManagerProcess() as process:
        yield process


@pytest.mark.parametrize("length", [1, 200_000], ids=["sent", "fetched"])
def test_more_children_than_a_manager_has_room_for_wait_their_turn(
    small: ManagerProcess, length: int
) -> None:
    """Those with a large context need room for the copy that it is fetched from as well."""
    factory = SidecarREPLFactory(small.url, small.token)
    cell = f"FINAL(rlm_query_batched([f't{{n}}' for n in range(6)], ['x' * {length}] * 6))"
    record = run_tree(factory, cell, lambda task: code(f"FINAL('{task}')"))
    assert record.answer.text == str([f"t{n}" for n in range(6)])
    assert asyncio.run(open_sessions(small)) == []


def test_a_child_for_which_there_will_be_no_room_is_an_error_of_its_own(
    small: ManagerProcess,
) -> None:
    """The root and those between hold all there is, and wait for it."""
    cell = "try:\n    FINAL(rlm_query('x'))\nexcept LLMQueryError as error:\n    FINAL(error.code)"
    factory = SidecarREPLFactory(small.url, small.token)
    script = tree(code(cell), lambda task: code(cell))
    record = run_script(factory, script, max_depth=5, session_wait_s=0.3)  # type: ignore[arg-type]
    assert record.answer.text == "too_many_sessions"
    assert failures(record.events) == {"0.1.1.1": "too_many_sessions"}


def test_children_of_one_depth_do_not_keep_theirs_from_running(
    factory: SidecarREPLFactory,
) -> None:
    def child(task: str) -> Step:
        if task.startswith("t"):
            return code("FINAL(rlm_query_batched(['a', 'b']))")
        return code(f"FINAL('{task}')")

    cell = "FINAL(rlm_query_batched(['t0', 't1', 't2']))"
    script = tree(code(cell), child)
    record = run_script(factory, script, max_depth=3, parallel_calls=1)  # type: ignore[arg-type]
    assert record.answer.text == str(["['a', 'b']"] * 3)


async def test_a_cancelled_run_leaves_no_session_behind(
    manager: ManagerProcess, factory: SidecarREPLFactory
) -> None:
    cell = "rlm_query_batched(['a', 'b'], fork=True) + rlm_query_batched(['c'])"
    script = tree(code(cell), lambda task: Stall())
    with ScriptedModelServer(script) as server:  # type: ignore[arg-type]
        options = RunOptions(max_depth=2)
        rlm = RLM_REPL(model_of(server), repl_factory=factory, options=options)
        run = asyncio.create_task(collect(rlm, "", "What is it?"))
        await asyncio.to_thread(server.wait_for_requests, 3, 60)
        assert len(await open_sessions(manager)) == 3
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        assert await open_sessions(manager) == []
        await asyncio.to_thread(server.wait_for_hangups, 2)
