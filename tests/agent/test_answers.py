"""Answers that a model writes as text."""

from __future__ import annotations

import pytest

from rlm_kernel.agent.answers import TextAnswer, as_text_answer, find_text_answer


@pytest.mark.parametrize(
    ("prose", "argument"),
    [
        ("FINAL(42)", "42"),
        ("So it is clear.\n\nFINAL(42)\n", "42"),
        ("  FINAL( 42 )", "42"),
        ("**FINAL(42)**", "42"),
        ("`FINAL(42)`", "42"),
        ("> FINAL (42)", "42"),
        ("Final answer: FINAL(42)", "42"),
        ("FINAL(f(x))", "f(x)"),
        ('FINAL("a) b")', '"a) b"'),
        ("FINAL(it's (about) 3) and so on", "it's (about) 3"),
        ("FINAL(two\nlines)", "two\nlines"),
        ("FINAL(first)\nNo, rather:\nFINAL(second)", "second"),
        ("FINAL(FINAL(1))", "FINAL(1)"),
        ("FINAL()", ""),
    ],
)
def test_the_argument_of_an_answer_is_found_whole(prose: str, argument: str) -> None:
    assert find_text_answer(prose) == TextAnswer("FINAL", argument)


def test_an_answer_by_name_says_so() -> None:
    assert find_text_answer('FINAL_VAR("result")') == TextAnswer("FINAL_VAR", '"result"')


def test_an_answer_that_is_not_closed_takes_the_rest_and_says_so() -> None:
    assert find_text_answer("FINAL(the list (is") == TextAnswer(
        "FINAL", "the list (is", closed=False
    )


@pytest.mark.parametrize(
    "prose",
    ["I will call FINAL(answer) when I know.", "FINALLY(1)", "FINAL is near", "MY_FINAL(1)", ""],
)
def test_talk_about_an_answer_is_not_one(prose: str) -> None:
    assert find_text_answer(prose) is None


def test_anywhere_means_anywhere() -> None:
    assert find_text_answer("so the answer is FINAL(7).", anywhere=True) == TextAnswer("FINAL", "7")


def test_more_parentheses_than_are_tried_fall_back_on_balance() -> None:
    argument = "x (" * 2_000 + ")" * 2_000
    assert find_text_answer(f"FINAL({argument})") == TextAnswer("FINAL", argument)


def test_a_block_that_holds_only_an_answer_in_words_is_one() -> None:
    assert as_text_answer("FINAL(The capital is Paris.)") == TextAnswer(
        "FINAL", "The capital is Paris."
    )


@pytest.mark.parametrize("code", ["FINAL(x)", "print(1)", "x = = 1"])
def test_a_block_of_python_or_of_anything_else_is_not(code: str) -> None:
    assert as_text_answer(code) is None
