"""The loop: code runs, the model is told the truth, an answer ends it."""

from __future__ import annotations

import hashlib

import pytest

from rlm_kernel.agent import (
    AnswerGiven,
    CodeFinished,
    CodeStarted,
    LedgerUpdated,
    ModelReplied,
    OutputWritten,
    RunStarted,
    SessionOpened,
    SidecarREPLFactory,
    TurnStarted,
)
from rlm_kernel.errors import BudgetExceeded
from rlm_kernel.testing import Reply
from tests.agent.runs import code, run_script


def test_code_runs_and_its_output_comes_back_until_there_is_an_answer(
    factory: SidecarREPLFactory,
) -> None:
    record = run_script(factory, [code("print(len(context))"), "FINAL(5)"], "abcde")
    assert record.answer == AnswerGiven("0", "5", "text", turns=2)
    assert record.told[1] == "Output:\n5"


def test_the_events_tell_the_whole_story_in_order(factory: SidecarREPLFactory) -> None:
    reply = code("print('hello')\n1 + 1")
    events = run_script(factory, [reply, code("FINAL('x')")]).events
    nothing = "0 characters in 0 lines"
    assert events[0] == RunStarted("0", "openai/scripted", "What is it?", "str", nothing, 20, 1)
    assert isinstance(events[1], SessionOpened)
    assert {"shell_port", "key"} <= events[1].connection.keys()
    aside = (CodeFinished, LedgerUpdated)
    story = [event for event in events if not isinstance(event, aside)][2:]
    streamed = "".join(e.text for e in story if isinstance(e, OutputWritten) and e.kind == "stdout")
    assert streamed == "hello\n"
    assert [event for event in story if getattr(event, "kind", "") != "stdout"] == [
        TurnStarted("0", 1, 20),
        ModelReplied("0", 1, reply),
        CodeStarted("0", 1, 1, "print('hello')\n1 + 1"),
        OutputWritten("0", 1, "result", "2\n"),
        TurnStarted("0", 2, 20),
        ModelReplied("0", 2, code("FINAL('x')")),
        CodeStarted("0", 2, 1, "FINAL('x')"),
        AnswerGiven("0", "x", "FINAL", turns=2),
    ]
    ended = [event for event in events if isinstance(event, CodeFinished)]
    assert [(e.ok, e.state, e.timed_out, e.duration_s > 0) for e in ended] == [
        (True, "kept", False, True)
    ] * 2
    books = [event.usage for event in events if isinstance(event, LedgerUpdated)]
    assert [(e.costs.total.calls, e.turns) for e in books] == [(1, 1), (1, 1), (2, 2), (2, 2)]


@pytest.mark.parametrize(
    "context",
    ["text é \ud800", b"\x00\xff", [1, ["two"]], {"a": None}, {1: (2, b"3")}, 7, None, ""],
    ids=repr,
)
def test_the_context_arrives_as_an_equal_value_of_the_same_type(
    factory: SidecarREPLFactory, context: object
) -> None:
    script = [code("FINAL(type(context).__name__ + ascii(context))")]
    assert run_script(factory, script, context).answer.text == type(context).__name__ + ascii(
        context
    )


def test_twenty_megabytes_of_context_arrive_whole_and_never_in_a_prompt(
    factory: SidecarREPLFactory,
) -> None:
    context = "".join(f"line {number} of many\n" for number in range(1_100_000))
    script = [code("import hashlib\nFINAL(hashlib.sha256(context.encode()).hexdigest())")]
    record = run_script(factory, script, context)
    assert record.answer.text == hashlib.sha256(context.encode()).hexdigest()
    assert len(context) > 20_000_000
    assert sum(len(message["content"]) for message in record.requests[0]) < 20_000


def test_variables_live_through_blocks_and_turns(factory: SidecarREPLFactory) -> None:
    script = [f"{code('x = 20')}\nand\n{code('x += 1')}", code("FINAL(x * 2)")]
    assert run_script(factory, script).answer.text == "42"


def test_long_output_is_cut_in_the_middle_and_the_model_told_exactly_how_much(
    factory: SidecarREPLFactory,
) -> None:
    script = [code("print('a' * 600 + 'b' * 400, end='')"), "FINAL(1)"]
    told = run_script(factory, script, output_limit=200).told[1]
    assert told == (
        f"Output:\n{'a' * 100}\n[... 800 of 1,000 characters cut here ...]\n{'b' * 100}"
    )


def test_a_flood_of_output_is_watched_up_to_a_limit_and_counted_in_full(
    factory: SidecarREPLFactory,
) -> None:
    script = [code("for _ in range(30): print('x' * 99_999)"), "FINAL(1)"]
    record = run_script(factory, script, output_limit=100)
    assert "2,999,900 of 3,000,000 characters cut" in record.told[1]
    assert 1_000_000 <= len(record.output) < 1_000_100


def test_every_kind_of_output_is_told_in_the_order_it_came(factory: SidecarREPLFactory) -> None:
    cell = (
        "import sys\nfrom IPython.display import display\n"
        "print('one'); print('two', file=sys.stderr); display({'three': 3}); 'four'"
    )
    told = run_script(factory, [code(cell), "FINAL(1)"]).told[1]
    assert told == "Output:\none\ntwo\n{'three': 3}\n'four'"


def test_code_without_output_is_told_so(factory: SidecarREPLFactory) -> None:
    told = run_script(factory, [code("x = 1"), "FINAL(1)"]).told[1]
    assert "printed nothing" in told


def test_an_exception_is_told_with_its_line_and_without_colours_or_our_own_frames(
    factory: SidecarREPLFactory,
) -> None:
    cell = "def f(n):\n    return 1 // n\nf(0)"
    told = run_script(factory, [code(cell), code("FINAL_VAR('nope')"), "FINAL(1)"]).told
    assert (
        "----> 2     return 1 // n" in told[1].replace("    2", "2") or "return 1 // n" in told[1]
    )
    assert told[1].endswith("ZeroDivisionError: division by zero")
    assert "\x1b" not in told[1]
    assert "there is no variable 'nope'; the variables are: context, answer, f" in told[2]
    assert "rlm_kernel" not in told[2]


def test_assignments_before_an_exception_are_kept(factory: SidecarREPLFactory) -> None:
    assert run_script(factory, [code("x = 7\n1 / 0"), code("FINAL(x)")]).answer.text == "7"


def test_the_blocks_after_one_that_fails_are_not_run_and_the_model_told_so(
    factory: SidecarREPLFactory,
) -> None:
    reply = "\n".join([code("print(1)"), code("1 / 0"), code("print(3)"), code("print(4)")])
    record = run_script(factory, [reply, "FINAL(1)"])
    assert record.told[1].startswith("Output of block 1 of 4:\n1\n\nOutput of block 2 of 4:\n")
    assert record.told[1].endswith("The other 2 blocks were not run, because this one failed.")
    assert "3" not in record.output.replace("1 / 0", "")


def test_the_blocks_after_an_answer_are_not_run(factory: SidecarREPLFactory) -> None:
    record = run_script(factory, [f"{code('FINAL(1)')}\n{code('print(2)')}"])
    assert record.answer.text == "1"
    assert record.output == ""


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ("Let me think.", "no code and no answer"),
        ("", "no code and no answer"),
        ("```json\n{}\n```", "a block of json, which is not run here"),
    ],
)
def test_a_reply_without_code_or_answer_is_told_so(
    factory: SidecarREPLFactory, reply: str, told: str
) -> None:
    assert told in run_script(factory, [reply, "FINAL(1)"]).told[1]


@pytest.mark.parametrize(
    "reply",
    ["```\nFINAL(6 * 7)\n```", "```repl\nFINAL(6 * 7)", "x = 6 * 7\nFINAL(x)"],
    ids=["unnamed", "unclosed", "no fence"],
)
def test_code_in_any_fence_or_none_is_run(factory: SidecarREPLFactory, reply: str) -> None:
    assert run_script(factory, [reply]).answer.text == "42"


def test_top_level_await_works(factory: SidecarREPLFactory) -> None:
    cell = "import asyncio\nx = await asyncio.gather(asyncio.sleep(0, 1), asyncio.sleep(0, 2))\n"
    assert run_script(factory, [code(f"{cell}FINAL(sum(x))")]).answer.text == "3"


def test_at_the_end_of_its_turns_the_model_is_made_to_answer_once_and_the_answer_marked(
    factory: SidecarREPLFactory,
) -> None:
    script = [code("x = 1"), code("x = 2"), f"I think {code('x = 3')} FINAL(perhaps 2)."]
    record = run_script(factory, script, max_iterations=2)
    assert record.answer == AnswerGiven("0", "perhaps 2", "forced", turns=3, forced=True)
    assert "This is your last turn" in record.told[1]
    assert "You have no turns left" in record.told[2]
    assert len(record.states) == 2, "the code of the forced reply does not run"


def test_a_forced_answer_may_name_a_variable(factory: SidecarREPLFactory) -> None:
    record = run_script(factory, [code("x = [1, 2]"), "FINAL_VAR(x)"], max_iterations=1)
    assert (record.answer.text, record.answer.forced) == ("[1, 2]", True)


def test_a_forced_reply_in_plain_words_is_the_answer(factory: SidecarREPLFactory) -> None:
    record = run_script(factory, [code("x = 1"), " It is 1. "], max_iterations=1)
    assert record.answer.text == "It is 1."


def test_no_answer_even_when_forced_is_a_typed_error(factory: SidecarREPLFactory) -> None:
    with pytest.raises(BudgetExceeded, match="no answer within 1 turns"):
        run_script(factory, [code("x = 1"), "<think>hm"], max_iterations=1)


def test_a_reply_given_twice_is_told_so(factory: SidecarREPLFactory) -> None:
    told = run_script(factory, [code("print(1)"), code("print(1)"), "FINAL(1)"]).told
    assert "same reply" not in told[1]
    assert "You have given this same reply before." in told[2]


def test_code_that_was_cut_off_is_not_run_and_the_model_told_why(
    factory: SidecarREPLFactory,
) -> None:
    cut = Reply(f"{code('x = 1')}\n```python\nx = 2\nx = x +", finish_reason="length")
    record = run_script(factory, [cut, code("FINAL(x)")])
    assert record.answer.text == "1"
    assert "Your reply was cut off" in record.told[1]
    assert "incomplete and was not run" in record.told[1]


def test_an_answer_that_was_cut_off_is_not_taken(factory: SidecarREPLFactory) -> None:
    record = run_script(factory, [Reply("FINAL(the long", finish_reason="length"), "FINAL(short)"])
    assert record.answer.text == "short"
    assert "Your reply was cut off" in record.told[1]


def test_input_ends_the_cell_and_the_model_is_told_that_nobody_can_type(
    factory: SidecarREPLFactory,
) -> None:
    record = run_script(factory, [code("x = 1\nname = input('Name? ')"), code("FINAL(x)")])
    assert "input() is not possible here" in record.told[1]
    assert (record.answer.text, record.states) == ("1", ["kept", "kept"])


def test_the_model_can_list_its_variables(factory: SidecarREPLFactory) -> None:
    script = [code("words = ['a', 'b']\nimport os\nSHOW_VARS()"), "FINAL(1)"]
    told = run_script(factory, script, "some text").told[1]
    assert told == (
        "Output:\n"
        "context: str of 9 characters = 'some text'\n"
        "answer: dict of 2 items\n"
        "words: list of 2 items"
    )


def test_the_conversation_starts_with_instructions_and_the_question_and_then_grows(
    factory: SidecarREPLFactory,
) -> None:
    first, second = run_script(factory, [code("print(1)"), "FINAL(1)"], "abc", "How long?").requests
    assert [message["role"] for message in first] == ["system", "user"]
    assert "How long?" in first[1]["content"]
    assert second[:2] == first
    assert [message["role"] for message in second[2:]] == ["assistant", "user"]
