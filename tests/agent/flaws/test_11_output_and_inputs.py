"""Flaw 11: on an error what was printed is thrown away, and inputs are assigned anew before every
cell, so that what the code made of them is lost.
"""

from __future__ import annotations

import pytest

from rlm_kernel.agent import SidecarREPLFactory
from tests.agent.runs import code, run_script


@pytest.mark.parametrize(
    ("ending", "told"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("import sys; sys.exit(1)", "SystemExit"),
        ("input('?')", "input() is not possible here"),
        ("import os; os._exit(1)", "SessionDied"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    ],
)
def test_what_was_printed_before_an_error_is_told_with_it(
    factory: SidecarREPLFactory, ending: str, told: str
) -> None:
    cell = f"import sys\nprint('out')\nprint('err', file=sys.stderr)\ndisplay('shown')\n{ending}"
    record = run_script(factory, [code(cell), "FINAL(1)"])
    assert record.told[1].startswith("Output:\nout\nerr\n'shown'\n")
    assert told in record.told[1]


def test_what_was_printed_before_a_cell_ran_out_of_time_is_told(
    factory: SidecarREPLFactory,
) -> None:
    script = [code("print('so far', flush=True)\nwhile True: pass"), "FINAL(1)"]
    record = run_script(factory, script, cell_timeout_s=0.5)
    assert record.told[1].startswith("Output:\nso far\n")


def test_what_a_tool_printed_into_is_kept_when_the_tool_fails(factory: SidecarREPLFactory) -> None:
    def tool() -> None:
        raise ValueError("no luck")

    record = run_script(factory, [code("print('before')\ntool()"), "FINAL(1)"], tools=[tool])
    assert record.told[1].startswith("Output:\nbefore\n")
    assert record.told[1].endswith("ValueError: no luck")


@pytest.mark.parametrize(
    ("change", "seen", "value"),
    [
        ("context = context.upper()", "context", "ABC"),
        ("context = None", "context", "None"),
        ("del context", "'context' in globals()", "False"),
        ("answer['content'] = 'draft'", "answer['content']", "draft"),
    ],
)
def test_the_inputs_are_as_the_code_left_them(
    factory: SidecarREPLFactory, change: str, seen: str, value: str
) -> None:
    script = [code(change), code("1 / 0"), code(f"FINAL(str({seen}))")]
    assert run_script(factory, script, "abc").answer.text == value


def test_a_context_that_was_changed_in_place_stays_changed(factory: SidecarREPLFactory) -> None:
    script = [code("context.append(3)"), code("context.append(4)"), code("FINAL(context)")]
    assert run_script(factory, script, [1, 2]).answer.text == "[1, 2, 3, 4]"
