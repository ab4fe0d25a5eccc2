"""Conversations kept within limits."""

from __future__ import annotations

from rlm_kernel.agent.history import History
from rlm_kernel.agent.models.model import Message


def history_of(turns: int, limit: int) -> History:
    history = History("S" * 10, limit)
    history.ask("Q" * 10)
    for number in range(turns):
        history.add(f"reply {number}", f"told {number}")
    return history


def told(history: History) -> list[str]:
    return [message.content for message in history.messages()[2:]]


def test_within_the_limit_everything_is_sent_in_order() -> None:
    history = history_of(2, 1_000)
    assert history.excess() == 0
    messages = history.messages()
    assert messages[:2] == [Message("system", "S" * 10), Message("user", "Q" * 10)]
    assert told(history) == ["reply 0", "told 0", "reply 1", "told 1"]
    assert [message.role for message in messages[2:]] == ["assistant", "user"] * 2


def test_beyond_it_so_many_go_that_half_of_the_room_is_free_and_the_model_is_told() -> None:
    history = history_of(5, 20 + 4 * 13)
    assert history.excess() == 3
    assert [each.content for each in history.oldest(1)] == ["reply 0", "told 0"]
    history.leave_out(3)
    assert told(history) == ["reply 3", "told 3", "reply 4", "told 4"]
    opening = history.messages()[1].content
    assert opening.startswith("Q" * 10)
    assert "3 of your earlier turns are left out" in opening
    assert history.excess() == 0


def test_a_summary_stands_in_the_place_of_what_is_left_out_and_is_itself_bounded() -> None:
    history = history_of(5, 4_000)
    history.leave_out(3, "the {gist} " + "x" * 5_000)
    opening = history.messages()[1].content
    assert "Your own summary of these turns:\nthe {gist} x" in opening
    assert len(opening) < 1_500
    history.leave_out(1, "newer")
    assert "4 of your earlier turns" in history.messages()[1].content
    assert history.summary == "newer"


def test_the_latest_turn_always_stays() -> None:
    history = history_of(3, 1)
    history.leave_out(history.excess())
    assert told(history) == ["reply 2", "told 2"]


def test_a_turn_that_alone_is_too_long_is_shortened_in_its_middle() -> None:
    history = history_of(0, 5_000)
    history.add("r" * 50_000, "a" * 50_000 + "the end")
    assert history.excess() == 0
    assert sum(map(len, told(history))) < 5_200
    assert told(history)[1].endswith("the end")
    assert "characters cut here" in told(history)[0]


def test_before_the_first_turn_there_is_the_opening() -> None:
    assert history_of(0, 1).messages() == [Message("system", "S" * 10), Message("user", "Q" * 10)]


def test_a_further_question_is_told_to_the_reply_that_answered_the_one_before() -> None:
    history = history_of(1, 1_000)
    history.close("FINAL(1)")
    history.ask("And now?")
    assert told(history) == ["reply 0", "told 0", "FINAL(1)", "And now?"]


def test_a_further_question_after_one_without_an_answer_follows_what_was_told_last() -> None:
    history = history_of(1, 1_000)
    history.ask("And now?")
    assert told(history) == ["reply 0", "told 0\n\nAnd now?"]
    unanswered = history_of(0, 1_000)
    unanswered.ask("And now?")
    assert unanswered.messages()[1].content == "And now?"


def test_the_question_that_is_open_stays_also_when_its_turn_is_left_out() -> None:
    history = history_of(1, 1_000)
    history.close("FINAL(1)")
    history.ask("And now?")
    history.add("reply 2", "told 2")
    history.leave_out(1)
    assert history.messages()[1].content.startswith("Q" * 10)
    history.leave_out(1)
    assert history.messages()[1].content.startswith("And now?")
    assert told(history) == ["reply 2", "told 2"]
