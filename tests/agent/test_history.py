"""Conversations kept within limits."""

from __future__ import annotations

from rlm_kernel.agent.history import History
from rlm_kernel.agent.models import Message

OPENING = [Message("system", "S" * 10), Message("user", "Q" * 10)]


def history_of(turns: int, limit: int) -> History:
    history = History(OPENING, limit)
    for number in range(turns):
        history.add(f"reply {number}", f"told {number}")
    return history


def test_within_the_limit_everything_is_sent_in_order() -> None:
    messages = history_of(2, 1_000).messages()
    assert messages[:2] == OPENING
    assert [message.content for message in messages[2:]] == [
        "reply 0",
        "told 0",
        "reply 1",
        "told 1",
    ]
    assert [message.role for message in messages[2:]] == ["assistant", "user"] * 2


def test_beyond_it_the_oldest_turns_are_left_out_and_the_model_is_told_how_many() -> None:
    messages = history_of(5, 20 + 2 * 13).messages()
    assert [message.content for message in messages[2:]] == [
        "reply 3",
        "told 3",
        "reply 4",
        "told 4",
    ]
    assert messages[0] == OPENING[0]
    assert "3 of your earlier turns are left out" in messages[1].content


def test_the_latest_turn_always_stays() -> None:
    messages = history_of(3, 1).messages()
    assert [message.content for message in messages[2:]] == ["reply 2", "told 2"]


def test_before_the_first_turn_there_is_the_opening() -> None:
    assert History(OPENING, 1).messages() == OPENING
