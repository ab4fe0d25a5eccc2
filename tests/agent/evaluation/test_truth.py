"""Free-text answers: what is read in them, and what that is worth."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlm_kernel.agent.evaluation.reading import Statement
from rlm_kernel.agent.evaluation.truth import Choice, Number, Pairs

KINDS = ["complaint", "praise", "price question", "question"]
ORDERS = ["more often", "less often", "equally often"]
USERS = st.integers(10_000, 99_999)


@pytest.mark.parametrize(
    ("answer", "number"),
    [
        ("12", 12),
        ("Answer: 12", 12),
        ("**Answer:** 12", 12),
        ("**Answer: 12**", 12),
        ("Answer: 1,234 messages", 1234),
        ("Final answer = 7", 7),
        ("\\boxed{42}", 42),
        ("There are 12 complaints.", 12),
        ("Of 200 messages I counted 12.", 12),
        ("First I had 9. Answer: 12 of 200", 12),
        ("Answer: 9\nNo, that was wrong.\nAnswer: 12", 12),
        ("Answer: twelve", 12),
        ("It was 2024-03-05, hence Answer: 12", 12),
        ("<think>Answer: 99</think>12", 12),
        ("The answer is 12.\nAnswer:", 12),
        ("I counted 12.0", None),
        ("-3", -3),
        ("none at all", None),
        ("Answer: " + "1" * 5000, None),
        ("Answer: \u017feven", None),
        ("", None),
    ],
)
def test_a_number_is_found(answer: str, number: int | None) -> None:
    assert Statement.of(answer).number == number


@pytest.mark.parametrize(
    ("answer", "choice"),
    [
        ("complaint", "complaint"),
        ("Answer: Complaint", "complaint"),
        ('Answer: "price question"', "price question"),
        ("Answer: price question, not praise", "price question"),
        ("There is more praise than complaint: complaint is rarest", "complaint"),
        ("complaints", "complaint"),
        ("uncomplaining", None),
        ("Answer: none of them", None),
    ],
)
def test_a_choice_is_found(answer: str, choice: str | None) -> None:
    assert Statement.of(answer).choice(KINDS) == choice


@pytest.mark.parametrize(
    "form",
    [
        "({a}, {b})",
        "Answer:\n({a}, {b})",
        "{b},{a}",
        "- user {a} and user {b}",
        '[["{a}", "{b}"]]',
        "{{({a}, {b})}}",
        "The answer is below.\n\n| {a} | {b} |",
    ],
)
def test_pairs_are_found_in_any_form_and_order(form: str) -> None:
    answer = form.format(a=12345, b=67890)
    assert Statement.of(answer).pairs == {(12345, 67890)}


@given(pairs=st.sets(st.tuples(USERS, USERS)), separator=st.sampled_from(["\n", ", ", "; ", " "]))
def test_all_pairs_are_found(pairs: set[tuple[int, int]], separator: str) -> None:
    answer = "Answer:\n" + separator.join(map(str, pairs))
    assert Statement.of(answer).pairs == {(min(pair), max(pair)) for pair in pairs}


@given(text=st.text())
def test_no_answer_is_too_strange_to_be_read(text: str) -> None:
    statement = Statement.of(text)
    assert statement.number is None or isinstance(statement.number, int)
    statement.choice(ORDERS)
    assert isinstance(statement.pairs, frozenset)


@given(value=st.integers(0, 500), off=st.integers(0, 60))
def test_a_count_loses_a_quarter_of_its_worth_for_each_unit_it_is_off(value: int, off: int) -> None:
    assert Number(value).score(f"Answer: {value + off}").value == pytest.approx(0.75**off)


def test_what_is_no_count_is_right_or_wrong() -> None:
    assert Number(1234567, count=False).score("1234567").value == 1
    assert Number(1234567, count=False).score("1234568").value == 0
    assert Choice("less often", ORDERS).score("Answer: less often").value == 1
    assert Choice("less often", ORDERS).score("Answer: more often").value == 0


def test_pairs_are_worth_the_harmonic_mean_of_precision_and_recall() -> None:
    truth = Pairs(frozenset({(10000, 10001), (10000, 10002), (10000, 10003), (10000, 10004)}))
    assert truth.score("(10000, 10001)\n(10002, 10000)\n(10000, 99999)").value == pytest.approx(
        2 * (2 / 3) * (2 / 4) / (2 / 3 + 2 / 4)
    )
    assert truth.score("none").value == 0
    assert Pairs(frozenset()).score("There are none.").value == 1
    assert Pairs(frozenset()).score("(10000, 10001)").value == 0


@pytest.mark.parametrize("truth", [Number(3), Choice("praise", KINDS)])
def test_what_cannot_be_read_is_worth_nothing_and_said_to_be_unread(
    truth: Number | Choice,
) -> None:
    score = truth.score("I cannot tell.")
    assert (score.value, score.read) == (0, None)
