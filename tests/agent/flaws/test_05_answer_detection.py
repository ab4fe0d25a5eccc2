"""Flaw 5: answers are missed, misread, or taken from code that failed. `answer.update`, `|=` and
rebinding go unseen, later blocks still run, and a regular expression cuts `FINAL(f(x))` short or
finds FINAL where the model only talks about it.
"""

from __future__ import annotations

import pytest

from rlm_kernel.agent import SidecarREPLFactory
from tests.agent.runs import code, run_script


@pytest.mark.parametrize(
    "cell",
    [
        "answer['content'] = 7; answer['ready'] = True",
        "answer['ready'] = True; answer['content'] = 7",
        "answer.update({'content': 7, 'ready': True})",
        "answer.update(content=7, ready=True)",
        "answer |= {'content': 7, 'ready': True}",
        "answer = answer | {'content': 7, 'ready': True}",
        "answer = {'content': 7, 'ready': True}",
        "answer = dict(answer, content=7, ready=True)",
        "answer.clear(); answer.setdefault('content', 7); answer.setdefault('ready', True)",
        "for key, value in zip(answer, (7, True)):\n    answer[key] = value",
        "a = answer\na['content'], a['ready'] = 7, True",
        "def solve():\n    answer['content'] = 7\n    answer['ready'] = True\nsolve()",
        "globals()['answer'] = {'content': 7, 'ready': True}",
        "from collections import UserDict\nanswer = UserDict(content=7, ready=True)",
        "FINAL(7)",
        "n = 7\nFINAL_VAR('n')",
        "n = 7\nFINAL_VAR(n)",
        "SUBMIT(7)",
    ],
)
def test_an_answer_is_seen_however_it_is_given(factory: SidecarREPLFactory, cell: str) -> None:
    record = run_script(factory, [code(cell)])
    assert (record.answer.text, record.answer.turns) == ("7", 1)


def test_an_answer_may_be_built_up_inside_the_variable(factory: SidecarREPLFactory) -> None:
    script = [
        code("answer['content'] = {'found': []}"),
        code("answer['content']['found'] += ['a']"),
        code("answer['content']['found'].append('b')\nanswer['ready'] = True"),
    ]
    record = run_script(factory, script)
    assert (record.answer.text, record.answer.turns) == ("{'found': ['a', 'b']}", 3)


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("SUBMIT(name='tea', price=2)", "{'name': 'tea', 'price': 2}"),
        ("FINAL(max(3, len('abc(')))", "4"),
        ("FINAL('a) b')", "a) b"),
        ("FINAL(f\"{len('x')} of (1)\")", "1 of (1)"),
        ("FINAL('''two\nlines''')", "two\nlines"),
    ],
)
def test_an_answer_is_the_whole_value(factory: SidecarREPLFactory, cell: str, text: str) -> None:
    assert run_script(factory, [code(cell)]).answer.text == text


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ("FINAL(f(x) = (a + b) * (c))", "f(x) = (a + b) * (c)"),
        ("FINAL(max(n, 2))", "3"),
        ("SUBMIT(total=n, name='x', note=left over)", "total=n, name='x', note=left over"),
        ("SUBMIT(total=n + 1, name='x', parts=[1])", "{'total': 4, 'name': 'x', 'parts': [1]}"),
        ("I will call `FINAL(x)` later.\n\nFINAL(n)", "3"),
    ],
)
def test_an_answer_in_text_is_read_to_its_end(
    factory: SidecarREPLFactory, reply: str, text: str
) -> None:
    assert run_script(factory, [code("n = 3"), reply]).answer.text == text


@pytest.mark.parametrize(
    "reply",
    [
        "Once I know more I will call FINAL(the result).",
        code("# FINAL('later')\nprint('FINAL(1)')"),
        code("text = 'FINAL(1)'"),
        "```text\nFINAL(1)\n```",
        "<think>FINAL(1)</think>",
        code("def FINALLY(x): pass\nFINALLY(1)"),
    ],
)
def test_talk_about_an_answer_is_none(factory: SidecarREPLFactory, reply: str) -> None:
    record = run_script(factory, [reply, "FINAL(the end)"])
    assert (record.answer.text, record.answer.turns) == ("the end", 2)


@pytest.mark.parametrize(
    "cell",
    [
        "FINAL(5)\nraise ValueError",
        "SUBMIT(a=5)\n1 / 0",
        "answer.update(content=5, ready=True)\n1 / 0",
        "answer = {'content': 5, 'ready': True}\nundefined",
        "FINAL(5)\nimport sys; sys.exit()",
    ],
)
def test_an_answer_is_not_taken_from_code_that_raised(
    factory: SidecarREPLFactory, cell: str
) -> None:
    record = run_script(factory, [code(cell), code("x = 1"), code("FINAL(6)")])
    assert (record.answer.text, record.answer.turns) == ("6", 3)
    assert "The answer was refused, because the cell raised an exception." in record.told[1]


def test_nothing_runs_after_an_answer(factory: SidecarREPLFactory) -> None:
    reply = f"{code('FINAL(1)')}\n{code('print(2)')}\nFINAL(3)"
    record = run_script(factory, [reply])
    assert (record.answer.text, record.output) == ("1", "")


@pytest.mark.parametrize("call", ["SUBMIT()", "SUBMIT(1, 2)", "SUBMIT(1, a=2)", "SUBMIT(None)"])
def test_what_is_no_answer_raises_and_says_why(factory: SidecarREPLFactory, call: str) -> None:
    record = run_script(factory, [code(call), "FINAL(1)"])
    assert "SUBMIT takes one value" in record.told[1] or "FINAL got None" in record.told[1]


def test_at_the_end_of_its_turns_a_model_answers_once_and_the_answer_is_marked(
    factory: SidecarREPLFactory,
) -> None:
    record = run_script(factory, [code("n = 1"), "Well, FINAL(n) I think."], max_iterations=1)
    assert (record.answer.text, record.answer.source, record.answer.forced) == ("1", "forced", True)
