"""Flaw 3: the state is not a real REPL's. Assignments before an exception are lost, functions do
not see later globals, there is no traceback, no top-level await, and `sys.exit()` kills the host.
"""

from __future__ import annotations

import pytest

from rlm_kernel.agent import SidecarREPLFactory
from tests.agent.runs import code, run_script


def test_assignments_before_an_exception_stay(factory: SidecarREPLFactory) -> None:
    script = [code("x = 1\ny = x + 1\n1 / 0\nz = 3"), code("FINAL((x, y, 'z' in globals()))")]
    assert run_script(factory, script).answer.text == "(1, 2, False)"


def test_functions_see_globals_that_come_later_and_change(factory: SidecarREPLFactory) -> None:
    script = [
        code("def area():\n    return width * height"),
        code("width, height = 2, 3"),
        code("height = 5\nFINAL(area())"),
    ]
    assert run_script(factory, script).answer.text == "10"


def test_classes_closures_imports_and_comprehensions_see_each_other(
    factory: SidecarREPLFactory,
) -> None:
    script = [
        code("import math\nclass Shape:\n    def area(self):\n        return math.pi * r ** 2"),
        code("r = 2\nareas = [round(Shape().area()) for r in range(3) if r]"),
        code("FINAL((areas, r, (lambda: r + math.floor(1.5))()))"),
    ]
    assert run_script(factory, script).answer.text == "([13, 13], 2, 3)"


def test_an_exception_is_told_with_its_traceback_of_all_cells_that_took_part(
    factory: SidecarREPLFactory,
) -> None:
    script = [
        code("def inner(n):\n    return 1 // n"),
        code("print('before')\ninner(0)"),
        "FINAL(1)",
    ]
    told = run_script(factory, script).told[2]
    assert told.startswith("Output:\nbefore\n")
    assert "inner(0)" in told
    assert "return 1 // n" in told
    assert told.endswith("ZeroDivisionError: division by zero")


def test_top_level_await_works_and_its_tasks_live_on(factory: SidecarREPLFactory) -> None:
    script = [
        code("import asyncio\ntask = asyncio.create_task(asyncio.sleep(0, 'slept'))\nx = 1"),
        code("FINAL(await task)"),
    ]
    assert run_script(factory, script).answer.text == "slept"


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("import sys\nsys.exit(3)", "SystemExit"),
        ("exit()", "SystemExit"),
        ("raise SystemExit", "SystemExit"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("import os\nos._exit(0)", "SessionDied"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "process ended"),
    ],
)
def test_code_that_wants_to_end_ends_neither_the_host_nor_the_run(
    factory: SidecarREPLFactory, cell: str, told: str
) -> None:
    record = run_script(factory, [code(f"x = 1\n{cell}"), code("FINAL(len(context))")], "abc")
    assert record.answer.text == "3"
    if "exit()" not in cell:  # IPython's own asks to end the kernel, which is the agent's
        assert told in record.told[1]


def test_one_name_has_one_value_for_the_model_and_for_who_looks_on(
    factory: SidecarREPLFactory,
) -> None:
    script = [code("x = [1]"), code("x.append(2)\nlocals()['x'] is globals()['x']"), "FINAL_VAR(x)"]
    record = run_script(factory, script)
    assert record.told[2] == "Output:\nTrue"
    assert record.answer.text == "[1, 2]"
