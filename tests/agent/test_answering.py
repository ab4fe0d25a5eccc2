"""Every way to give an answer, and what is not one."""

from __future__ import annotations

import pytest

from rlm_kernel.agent import SidecarREPLFactory
from tests.agent.runs import code, run_script


@pytest.mark.parametrize(
    ("cell", "answer", "source"),
    [
        ("FINAL(6 * 7)", "42", "FINAL"),
        ("FINAL('a \"quoted\" text')", 'a "quoted" text', "FINAL"),
        ("FINAL([1, 'a'])", "[1, 'a']", "FINAL"),
        ("FINAL('')", "", "FINAL"),
        ("FINAL(0)", "0", "FINAL"),
        ("def solve():\n    FINAL('from inside')\nsolve()", "from inside", "FINAL"),
        ("FINAL(1)\nFINAL(2)\nprint('and on')", "2", "FINAL"),
        ("x = 7\nFINAL_VAR('x')", "7", "FINAL_VAR"),
        ("x = 7\nFINAL_VAR(\"'x'\")", "7", "FINAL_VAR"),
        ("x = 7\nFINAL_VAR(x)", "7", "FINAL_VAR"),
        ("answer['content'] = 5\nanswer['ready'] = True", "5", "answer"),
        ("answer.update(content='5', ready=True)", "5", "answer"),
        ("answer |= {'content': 5, 'ready': 1}", "5", "answer"),
        ("answer = {'content': 5, 'ready': True}", "5", "answer"),
        ("answer = dict(ready='true', content=[5])", "[5]", "answer"),
        (
            "from types import MappingProxyType as M\nanswer = M({'ready': 1, 'content': 5})",
            "5",
            "answer",
        ),
        (
            "def solve():\n    globals()['answer'] = {'content': 5, 'ready': True}\nsolve()",
            "5",
            "answer",
        ),
        ("answer['content'] = 5\nanswer['ready'] = True\nFINAL(answer)", "5", "FINAL"),
        ("FINAL = FINAL\nFINAL(5)", "5", "FINAL"),
    ],
)
def test_code_answers(factory: SidecarREPLFactory, cell: str, answer: str, source: str) -> None:
    given = run_script(factory, [code(cell)]).answer
    assert (given.text, given.source, given.forced) == (answer, source, False)


@pytest.mark.parametrize(
    "cell",
    [
        "answer['content'] = 5",
        "answer['content'] = 5\nanswer['ready'] = False",
        "answer['content'] = 5\nanswer['ready'] = 'no'",
        "answer['ready'] = True",
        "answer = 'FINAL(5)'",
        "print('FINAL(5)')",
        "text = '''\nFINAL(5)\n'''",
        "del answer",
    ],
)
def test_what_is_no_answer_does_not_end_the_run(factory: SidecarREPLFactory, cell: str) -> None:
    record = run_script(factory, [code(cell), code("FINAL('the end')")])
    assert (record.answer.text, record.answer.turns) == ("the end", 2)


def test_an_answer_ready_but_empty_is_told_so(factory: SidecarREPLFactory) -> None:
    told = run_script(factory, [code("answer['ready'] = True"), "FINAL(1)"]).told[1]
    assert "answer['content'] is empty" in told


@pytest.mark.parametrize(
    "cell",
    [
        "FINAL(5)\n1 / 0",
        "answer.update(content=5, ready=True)\n1 / 0",
        "answer = {'content': 5, 'ready': True}\n1 / 0",
        "import asyncio\nFINAL(5)\nawait asyncio.sleep(0)\n1 / 0",
    ],
)
def test_an_answer_is_refused_when_its_cell_raised_and_does_not_come_back(
    factory: SidecarREPLFactory, cell: str
) -> None:
    record = run_script(factory, [code(cell), code("x = 1"), code("FINAL(x)")])
    assert (record.answer.text, record.answer.turns) == ("1", 3)
    assert "The answer was refused, because the cell raised an exception." in record.told[1]


def test_none_is_no_answer_and_says_why(factory: SidecarREPLFactory) -> None:
    record = run_script(
        factory, [code("FINAL(print('5'))"), code("x = None\nFINAL_VAR('x')"), "FINAL(5)"]
    )
    assert "FINAL got None" in record.told[1]
    assert "the value is None" in record.told[2]


def test_a_name_that_was_assigned_over_is_a_function_again_in_the_next_cell(
    factory: SidecarREPLFactory,
) -> None:
    assert run_script(factory, [code("FINAL = 5"), code("FINAL(6)")]).answer.text == "6"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("FINAL(Paris)", "Paris"),
        ("FINAL('Paris')", "Paris"),
        ("FINAL(It's Paris, France (probably))", "It's Paris, France (probably)"),
        ("FINAL(1,234)", "1,234"),
        ("FINAL(2024-11-15)", "2024-11-15"),
        ("FINAL(n)", "3"),
        ("FINAL(n + 1)", "4"),
        ("FINAL(sum(x for x in items))", "6"),
        ("FINAL(max)", "max"),
        ("FINAL(items)", "[1, 2, 3]"),
        ("FINAL_VAR(n)", "3"),
        ('FINAL_VAR("items")', "[1, 2, 3]"),
        ("```\nFINAL(The answer is three.)\n```", "The answer is three."),
        ("So:\n\n**FINAL(n)**", "3"),
    ],
)
def test_an_answer_in_text_is_computed_where_it_names_variables_and_literal_otherwise(
    factory: SidecarREPLFactory, text: str, answer: str
) -> None:
    script = [code("n = 3\nitems = [1, 2, 3]"), text]
    assert run_script(factory, script).answer.text == answer


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("FINAL_VAR(m)", "NameError: there is no variable 'm'"),
        ("FINAL(n / 0)", "ZeroDivisionError"),
    ],
)
def test_an_answer_in_text_that_cannot_be_computed_is_told_why(
    factory: SidecarREPLFactory, text: str, reason: str
) -> None:
    record = run_script(factory, [code("n = 3"), text, "FINAL(n)"])
    assert f"Your answer could not be taken: {reason}" in record.told[2]
    assert record.answer.text == "3"


def test_an_answer_that_the_code_beside_it_computed_is_taken(factory: SidecarREPLFactory) -> None:
    record = run_script(factory, [f"{code('n = len(context)')}\nFINAL_VAR(n)"], "abc")
    assert (record.answer.text, record.answer.turns) == ("3", 1)


def test_an_answer_guessed_beside_code_has_to_be_confirmed(factory: SidecarREPLFactory) -> None:
    guess = f"{code('print(len(context))')}\nFINAL(4)"
    record = run_script(factory, [guess, "FINAL(3)"], "abc")
    assert (record.answer.text, record.answer.turns) == ("3", 2)
    assert record.told[1].startswith("Output:\n3\n\nYou wrote FINAL(...) together with code")


def test_an_answer_beside_code_that_failed_is_not_taken(factory: SidecarREPLFactory) -> None:
    record = run_script(factory, [f"{code('n = 1; 1 / 0')}\nFINAL(n)", code("FINAL(2)")])
    assert record.answer.text == "2"


def test_an_answer_in_text_may_ask_a_model(factory: SidecarREPLFactory) -> None:
    script = [code("p = 'Who?'"), "FINAL(llm_query(p))", "Me."]
    assert run_script(factory, script).answer.text == "Me."
