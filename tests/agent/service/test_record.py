"""What is kept, and held, of runs and requests has an end."""

from __future__ import annotations

import pytest

from rlm_kernel.agent.events import AnswerGiven, RunStarted
from rlm_kernel.agent.service.chat_stream import ChatStream
from rlm_kernel.agent.service.held import HeldBytes
from rlm_kernel.agent.service.record import Record
from rlm_kernel.agent.service.step_events import CodeStarted, OutputWritten
from rlm_kernel.errors import RunNotFound, TooManyRuns

DEEP: list[object] = []
for _ in range(400):
    DEEP = [DEEP]


def test_of_too_many_steps_the_beginning_and_the_end_are_kept() -> None:
    record = Record(2000, [])
    for number in range(100):
        record.add("code_started", CodeStarted(run="0", turn=number, block=1, code="x"))
    turns = [step["data"]["turn"] for step in record.steps()]
    assert record.size <= 2000
    assert turns[:10] == list(range(10))
    assert turns[-5:] == list(range(95, 100))
    assert record.dropped == 100 - len(turns) > 50


@pytest.mark.parametrize(
    ("text", "value", "kept"), [("\ud800 end", "\ud800 end", "? end"), ("deep", DEEP, "deep")]
)
async def test_what_json_cannot_hold_is_replaced_in_a_trajectory(
    text: str, value: object, kept: str
) -> None:
    record = Record(1 << 20, [])
    record.take(RunStarted("0", "m", text, "str", "", 1, 0))
    record.take(AnswerGiven("0", text, "FINAL", 1, value=value))
    await record.archive()
    answer = (await record.trajectory()).root.answer
    assert answer is not None
    assert answer.text == kept


def test_a_piece_of_a_chat_is_sent_whatever_the_model_writes() -> None:
    pieces = ChatStream("rlm", usage=False, typed=False)
    assert b'"reasoning_content": "?' in pieces.step(
        "code", OutputWritten.model_construct(run="0", turn=1, kind="stdout", text="\ud800")
    )


async def test_a_run_that_never_began_has_no_trajectory() -> None:
    record = Record(2000, [])
    for _ in range(2):
        with pytest.raises(RunNotFound):
            await record.trajectory()
        await record.archive()


def test_small_requests_are_held_whatever_others_hold() -> None:
    held = HeldBytes(3 << 20)
    held.grow("large", 3 << 20)
    held.grow("small", 1 << 20)
    with pytest.raises(TooManyRuns, match=f"may hold {3 << 20}"):
        held.grow("small", 1)
    held.release("large")
    held.release("large")
    held.grow("small", 1)
    assert held.total == (1 << 20) + 1
