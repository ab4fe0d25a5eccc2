"""The recorder: events become a trajectory, within bounds, at any time."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from rlm_kernel.agent import (
    RLM_REPL,
    AnswerGiven,
    CodeFinished,
    CodeStarted,
    Event,
    LedgerUpdated,
    ModelReplied,
    OutputWritten,
    RichOutput,
    RunFailed,
    RunOptions,
    RunStarted,
    SidecarREPLFactory,
    SubCallFinished,
    SubCallStarted,
    TurnStarted,
    Usage,
)
from rlm_kernel.agent.context import pack_context
from rlm_kernel.agent.models.model import Message
from rlm_kernel.agent.trajectory import Recorder, Trajectory, record
from rlm_kernel.errors import ConfigurationError
from rlm_kernel.testing import Failure, ScriptedModelServer
from tests.agent.runs import code, model_of
from tests.agent.trajectory.recorded import lively_run, record_script


def started(run: str = "0", context: object = "abc") -> RunStarted:
    packed = pack_context(context)
    return RunStarted(run, "m", "What?", packed.type_name, packed.note, 20, 1, packed)


def recorded(*events: Event, recorder: Recorder | None = None) -> Trajectory:
    recorder = recorder or Recorder()
    for event in events:
        recorder.take(event)
    trajectory = recorder.trajectory()
    assert trajectory is not None
    return trajectory


def displayed(text: str, display_id: str, *, update: bool = False) -> OutputWritten:
    content = {
        "data": {"text/plain": text},
        "metadata": {},
        "transient": {"display_id": display_id},
    }
    kind = "update_display_data" if update else "display_data"
    return OutputWritten("0", 1, "display", text, RichOutput(kind, content))


IN_A_BLOCK = (started(), TurnStarted("0", 1, 20), CodeStarted("0", 1, 1, "x"))


def test_a_run_is_recorded_whole(factory: SidecarREPLFactory) -> None:
    trajectory = lively_run(factory)
    root = trajectory.root
    assert root.status == "answered"
    assert root.answer is not None
    assert (root.answer.text, root.answer.turns) == ("10 letters", 4)
    assert [len(turn.blocks) for turn in root.turns] == [1, 1, 2, 0]
    assert [block.ok for block in root.blocks] == [True, False, True, True]
    assert [block.execution_count for block in root.blocks] == [1, 2, 3, 4]
    assert [turn.prompt[-1].role for turn in root.turns] == ["user"] * 4
    assert root.turns[0].prompt[0].role == "system"
    calls = [(call.function, call.prompt, call.reply) for call in root.sub_calls]
    assert calls == [
        ("llm_query_batched", "count some", "10"),
        ("llm_query_batched", "count words", "11"),
        ("llm_query_batched", "count here", "10"),
        ("llm_query", "sum", "fifteen"),
        ("rlm_query", "add", "6"),
    ]
    assert root.context.data() == b"some words here"
    assert [run.name for run in trajectory.runs()] == ["0", "0.1"]
    assert trajectory.run("0.1").query == "add"
    assert trajectory.cut == 0


def test_times_are_those_of_the_events(factory: SidecarREPLFactory) -> None:
    root = lively_run(factory).root
    times = [root.at]
    for turn in root.turns:
        times += [turn.at, *(block.at for block in turn.blocks)]
    assert root.ended_at is not None
    assert [*times, root.ended_at] == sorted([*times, root.ended_at])


def test_nothing_is_there_before_the_run_began() -> None:
    recorder = Recorder()
    recorder.take(TurnStarted("0", 1, 20))
    assert recorder.trajectory() is None


def test_a_run_that_goes_on_is_recorded_so_far() -> None:
    recorder = Recorder()
    call = SubCallStarted("0", 1, "llm_query", "m", "why?")
    (block,) = recorded(*IN_A_BLOCK, call, recorder=recorder).root.blocks
    (open_call,) = block.sub_calls
    assert (block.finished, open_call.reply, open_call.error) == (False, None, None)
    more = (
        SubCallFinished("0", 1, "so", None, 1.0),
        OutputWritten("0", 1, "stdout", "so\n"),
        CodeFinished("0", 1, 1, True, "kept", False, 1.5),
    )
    (block,) = recorded(*more, recorder=recorder).root.blocks
    assert (block.finished, block.sub_calls[0].reply, block.duration_s) == (True, "so", 1.5)


def test_displays_are_updated_also_by_later_blocks() -> None:
    trajectory = recorded(
        *IN_A_BLOCK,
        displayed("0 %", "a"),
        displayed("other", "b"),
        CodeFinished("0", 1, 1, True, "kept", False, 0.1),
        CodeStarted("0", 1, 2, "y"),
        displayed("100 %", "a", update=True),
    )
    first, second = trajectory.root.blocks
    assert [output["data"]["text/plain"] for output in first.outputs] == ["100 %", "other"]
    assert second.outputs == ()


@pytest.mark.parametrize(
    ("wait", "after", "left"), [(False, [], []), (True, [], ["old\n"]), (True, ["new"], ["new"])]
)
def test_output_that_the_code_clears_is_gone(wait: bool, after: list[str], left: list[str]) -> None:
    clear = OutputWritten("0", 1, "clear", "", RichOutput("clear_output", {"wait": wait}))
    pieces = [OutputWritten("0", 1, "stdout", text) for text in after]
    trajectory = recorded(*IN_A_BLOCK, OutputWritten("0", 1, "stdout", "old\n"), clear, *pieces)
    (block,) = trajectory.root.blocks
    assert [output["text"] for output in block.outputs] == left


def test_what_is_too_much_is_cut_and_counted() -> None:
    recorder = Recorder(characters=5_000)
    flood = [OutputWritten("0", 1, "stdout", "abcdefghi\n") for _ in range(10_000)]
    trajectory = recorded(*IN_A_BLOCK, *flood, recorder=recorder)
    (block,) = trajectory.root.blocks
    (output,) = block.outputs
    assert output["text"].startswith("abcdefghi\nabcdefghi\n")
    assert len(output["text"]) + trajectory.cut == 100_000
    assert block.cut == trajectory.cut
    assert len(trajectory.model_dump_json()) < 6_000


def test_large_displays_are_told_of_by_their_text() -> None:
    content = {"data": {"text/plain": "<Figure>", "image/png": "A" * 9_000}, "metadata": {}}
    figure = OutputWritten("0", 1, "display", "<Figure>\n", RichOutput("display_data", content))
    trajectory = recorded(*IN_A_BLOCK, figure, recorder=Recorder(characters=5_000))
    (block,) = trajectory.root.blocks
    assert block.outputs == ({"output_type": "stream", "name": "stdout", "text": "<Figure>\n"},)
    assert trajectory.cut > 9_000


def test_a_message_that_is_in_all_prompts_takes_its_room_once() -> None:
    message = Message("system", "x" * 4_000)
    recorder = Recorder(characters=6_000)
    turns = [TurnStarted("0", number, 20, (message,)) for number in range(1, 20)]
    trajectory = recorded(started(), *turns, recorder=recorder)
    assert trajectory.cut == 0
    assert {turn.prompt[0].content for turn in trajectory.root.turns} == {message.content}


def test_a_context_that_is_too_large_is_not_kept() -> None:
    trajectory = recorded(started(context="abcd"), recorder=Recorder(context_bytes=3))
    assert trajectory.root.context.packed is None
    assert trajectory.root.context.note == "4 characters in 1 lines"


def test_what_the_tree_took_is_what_was_told_last() -> None:
    trajectory = recorded(
        started(),
        started("0.1"),
        LedgerUpdated("0.1", Usage(turns=2)),
        AnswerGiven("0.1", "a", "FINAL", 1),
        LedgerUpdated("0", Usage(turns=3)),
    )
    assert trajectory.root.usage == Usage(turns=3).as_dict()
    assert trajectory.run("0.1").usage == Usage(turns=2).as_dict()


def test_a_failure_is_recorded_with_the_best_there_was() -> None:
    failed = RunFailed("0", "cost_limit", "too dear", "perhaps 3", Usage(turns=2))
    root = recorded(*IN_A_BLOCK, failed).root
    assert root.status == "failed"
    assert root.failure is not None
    assert (root.failure.code, root.failure.partial_answer) == ("cost_limit", "perhaps 3")
    assert root.usage == Usage(turns=2).as_dict()


def test_a_trajectory_is_its_json() -> None:
    trajectory = recorded(*IN_A_BLOCK, ModelReplied("0", 1, "code"))
    assert Trajectory.model_validate_json(trajectory.model_dump_json()) == trajectory


def test_a_run_that_fails_is_recorded_and_not_raised(factory: SidecarREPLFactory) -> None:
    trajectory = record_script(factory, [code("x = 1"), Failure(400, "no more")])
    assert trajectory.root.status == "failed"
    assert trajectory.root.failure is not None
    assert "no more" in trajectory.root.failure.message
    assert [block.code for block in trajectory.root.blocks] == ["x = 1"]


def test_a_context_that_cannot_be_sent_is_refused(factory: SidecarREPLFactory) -> None:
    with pytest.raises(ConfigurationError):
        record_script(factory, [], context=object())


def test_a_run_that_is_stopped_is_recorded_up_to_there(factory: SidecarREPLFactory) -> None:
    async def watch_until_it_prints(rlm: RLM_REPL, recorder: Recorder) -> None:
        async with aclosing(rlm.astream("abc", "What?")) as events:
            async for event in events:
                recorder.take(event)
                if isinstance(event, OutputWritten):
                    return

    recorder = Recorder()
    with ScriptedModelServer([code("print('now', flush=True)\nwhile True: pass")]) as server:
        rlm = RLM_REPL(model_of(server), repl_factory=factory, options=RunOptions())
        asyncio.run(watch_until_it_prints(rlm, recorder))
    trajectory = recorder.trajectory()
    assert trajectory is not None
    assert trajectory.root.status == "unfinished"
    (block,) = trajectory.root.blocks
    assert (block.finished, block.outputs[0]["text"]) == (False, "now\n")


def test_a_helper_records_in_a_line(factory: SidecarREPLFactory) -> None:
    with ScriptedModelServer(["FINAL(3)"]) as server:
        rlm = RLM_REPL(model_of(server), repl_factory=factory)
        assert asyncio.run(record(rlm, "abc", "How many?")).root.status == "answered"


@pytest.mark.parametrize("levels", [150, 900])
def test_what_code_shows_may_be_nested_deeply(factory: SidecarREPLFactory, levels: int) -> None:
    cell = (
        f"deep = 1\nfor _ in range({levels}):\n    deep = [deep]\n"
        "display({'application/json': deep}, raw=True)\nFINAL(1)"
    )
    trajectory = record_script(factory, [code(cell)])
    (block,) = trajectory.root.blocks
    assert "application/json" in block.outputs[0]["data"]
    assert "nested too deeply" in trajectory.model_dump_json()
