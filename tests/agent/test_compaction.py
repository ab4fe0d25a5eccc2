"""Conversations that become too long: what their model is still told, and that they end."""

from __future__ import annotations

import pytest

from rlm_kernel.agent import Budget, SidecarREPLFactory, SubCallFinished, SubCallStarted
from rlm_kernel.agent.compaction import Compaction
from rlm_kernel.agent.prompts import Abilities, system_prompt
from rlm_kernel.errors import ErrorLimitExceeded
from rlm_kernel.testing import ChatRequest, Failure, Script, Step
from tests.agent.runs import Record, code, run_script

TURNS = 12
LIMIT = len(system_prompt("large", Abilities())) + 6_000


def talkative(summary: Step) -> Script:
    """Each turn counts, and prints 1,000 characters; the last gives the count. `summary` is the
    reply to a request for one."""
    turn = 0

    def reply(request: ChatRequest) -> Step:
        nonlocal turn
        if len(request.messages) == 1:
            return summary
        turn += 1
        counted = "n = globals().get('n', 0) + 1\nprint('turn', n, 'x' * 1_000)"
        return code(counted if turn <= TURNS else "FINAL(n)")

    return reply


def long_run(factory: SidecarREPLFactory, compaction: Compaction, summary: Step) -> Record:
    record = run_script(
        factory, talkative(summary), "abc", "How many?", history_limit=LIMIT, compaction=compaction
    )
    assert record.answer.text == str(TURNS), "the variables are all there"
    return record


def sizes(record: Record) -> list[int]:
    """Characters of each request for a turn."""
    turns = [messages for messages in record.requests if len(messages) > 1]
    assert len(turns) == TURNS + 1
    return [sum(len(message["content"]) for message in messages) for messages in turns]


def test_the_oldest_turns_are_left_out_and_the_model_is_told(factory: SidecarREPLFactory) -> None:
    record = long_run(factory, "leave_out", Failure(400, "nobody asks"))
    assert max(sizes(record)) < LIMIT + 1_000
    assert len(record.requests) == TURNS + 1
    opening = record.requests[-1][1]["content"]
    assert "Question: How many?" in opening
    assert "of your earlier turns are left out here to save room." in opening
    assert "turn 12" in record.told[-1]


def test_the_model_sums_up_its_oldest_turns_through_the_ledger_like_any_call(
    factory: SidecarREPLFactory,
) -> None:
    record = long_run(factory, "summarise", "I count {turns} in `n`.")
    assert max(sizes(record)) < LIMIT + 1_000
    requests = [messages[0]["content"] for messages in record.requests if len(messages) == 1]
    assert 1 <= len(requests) <= TURNS // 2, "not for each turn again"
    assert "turn 1 xxx" in requests[0]
    assert "Your summary of the turns before these:\nI count {turns} in `n`." in requests[1]
    opening = record.requests[-1][1]["content"]
    assert "Your own summary of these turns:\nI count {turns} in `n`.]" in opening
    assert record.costs.total.calls == TURNS + 1 + len(requests)
    started = [event for event in record.events if isinstance(event, SubCallStarted)]
    assert {event.function for event in started} == {"summarise"}


@pytest.mark.parametrize("summary", [Failure(400, "out of order"), "", "y" * 100_000])
def test_a_summary_that_fails_or_is_too_long_neither_stops_nor_bloats_the_run(
    factory: SidecarREPLFactory, summary: Step
) -> None:
    record = long_run(factory, "summarise", summary)
    assert max(sizes(record)) < LIMIT + 1_000
    assert "of your earlier turns are left out here" in record.requests[-1][1]["content"]
    ended = [event for event in record.events if isinstance(event, SubCallFinished)]
    assert len(ended) <= TURNS // 2


def test_one_turn_that_is_longer_than_all_the_room_is_cut_and_the_run_goes_on(
    factory: SidecarREPLFactory,
) -> None:
    blocks = "\n".join(code(f"print({n}, 'y' * 15_000)") for n in range(10))
    record = run_script(factory, [blocks, code("FINAL(7)")], history_limit=LIMIT)
    assert record.answer.text == "7"
    assert len(record.told[1]) < 4_000
    assert "characters cut here" in record.told[1]


def test_a_limit_that_is_reached_by_asking_for_a_summary_ends_the_run(
    factory: SidecarREPLFactory,
) -> None:
    """The run itself waits for that call, and no cell."""
    with pytest.raises(ErrorLimitExceeded):
        run_script(
            factory,
            talkative(Failure(400, "out of order")),
            history_limit=LIMIT,
            compaction="summarise",
            budget=Budget(errors=1),
        )
