"""dspy's interpreter over real sessions: what its protocol promises, and what dspy's own lack."""

from __future__ import annotations

import asyncio
import gc
import inspect
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
from dspy.primitives.code_interpreter import (
    CodeExecutionError,
    CodeInterpreter,
    CodeInterpreterError,
    FinalOutput,
)
from dspy.utils.callback import BaseCallback
from pydantic import BaseModel

from rlm_kernel.agent import SidecarREPLFactory
from rlm_kernel.agent.adapters.blocking_session import ENDING
from rlm_kernel.agent.adapters.dspy_interpreter import SessionInterpreter
from rlm_kernel.agent.manager_process import ManagerProcess
from tests.agent.conftest import open_sessions, restart_all_sessions

FIELDS = [{"name": "count", "type": "int"}, {"name": "names"}]


def test_of_several_managers_one_that_is_well_is_taken(manager: ManagerProcess) -> None:
    several = SidecarREPLFactory(f"http://127.0.0.1:9,{manager.url}", manager.token)
    with SessionInterpreter(several) as interpreter:
        assert interpreter.execute("6 * 7") == 42
    assert asyncio.run(open_sessions(manager)) == []


@pytest.fixture
def interpreter(factory: SidecarREPLFactory) -> Iterator[SessionInterpreter]:
    with SessionInterpreter(factory) as interpreter:
        yield interpreter


def test_it_is_what_dspy_takes_for_an_interpreter(interpreter: SessionInterpreter) -> None:
    assert isinstance(interpreter, CodeInterpreter)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("1 + 1", 2),
        ("print('a'); print('b')", "a\nb"),
        ("x = 1", None),
        ("print('printed'); 'value'", "value"),
        ("{'a': (1, {2})}", {"a": [1, [2]]}),
        ("[None, 1.5, True]", [None, 1.5, True]),
        ("object", "<class 'object'>"),
        ("import asyncio; await asyncio.sleep(0, 'awaited')", "awaited"),
        ("", None),
    ],
)
def test_without_fields_the_value_is_given_else_what_was_printed(
    interpreter: SessionInterpreter, code: str, expected: Any
) -> None:
    assert interpreter.execute(code) == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("print('first'); 0", "first\n0"),
        ("import sys; print('oh', file=sys.stderr); 'value'", "oh\n'value'"),
        ("None", None),
    ],
)
def test_with_fields_all_that_was_shown_is_given(
    interpreter: SessionInterpreter, code: str, expected: str | None
) -> None:
    interpreter.output_fields = FIELDS
    assert interpreter.execute(code) == expected


def test_state_stays_also_that_of_code_that_raised(interpreter: SessionInterpreter) -> None:
    with pytest.raises(CodeExecutionError):
        interpreter.execute("import math\ndef double(n): return factor * n\nfactor = 2\n1 / 0")
    assert interpreter.execute("factor = 3; double(math.floor(7.5))") == 21


def test_what_was_printed_is_not_lost_when_the_code_raises(
    interpreter: SessionInterpreter,
) -> None:
    with pytest.raises(CodeExecutionError) as raised:
        interpreter.execute("print('as far as this')\nrows = []\nrows[3]")
    told = str(raised.value)
    assert told.startswith("IndexError: list index out of range\nas far as this\n")
    assert "----> 3 rows[3]" in told


def test_wrong_syntax_is_told_as_such(interpreter: SessionInterpreter) -> None:
    with pytest.raises(SyntaxError, match="never closed"):
        interpreter.execute("print(")
    with pytest.raises(SyntaxError, match="unindent"):
        interpreter.execute("if True:\n    a = 1\n  b = 2")
    assert interpreter.execute("1") == 1


def test_leaving_python_ends_neither_dspy_nor_the_session(interpreter: SessionInterpreter) -> None:
    interpreter.execute("x = 1; exit()")
    with pytest.raises(CodeExecutionError, match="SystemExit: 3"):
        interpreter.execute("raise SystemExit(3)")
    assert interpreter.execute("x") == 1


def test_variables_that_are_gone_are_told_and_end_the_interpreter(
    manager: ManagerProcess, interpreter: SessionInterpreter
) -> None:
    interpreter.execute("x = 1")
    asyncio.run(restart_all_sessions(manager))
    with pytest.raises(CodeInterpreterError, match="its variables are gone") as raised:
        interpreter.execute("1")
    assert not isinstance(raised.value, CodeExecutionError)
    with pytest.raises(CodeInterpreterError, match="has ended"):
        interpreter.execute("1")


# Submissions ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    ["SUBMIT(2, ['a', 'b'])", "SUBMIT(count=2, names=('a', 'b'))", "SUBMIT(2, names={'a', 'b'})"],
)
def test_a_submission_has_the_fields(interpreter: SessionInterpreter, call: str) -> None:
    interpreter.output_fields = FIELDS
    assert interpreter.execute(call) == FinalOutput({"count": 2, "names": ["a", "b"]})


def test_a_submission_without_fields_is_one_output(interpreter: SessionInterpreter) -> None:
    assert interpreter.execute("SUBMIT({'a': 1})") == FinalOutput({"output": {"a": 1}})


@pytest.mark.parametrize(
    "call", ["SUBMIT(1)", "SUBMIT(1, 2, 3)", "SUBMIT(1, count=2)", "SUBMIT(x=1)"]
)
def test_a_submission_of_other_fields_is_an_error(
    interpreter: SessionInterpreter, call: str
) -> None:
    interpreter.output_fields = FIELDS
    with pytest.raises(CodeExecutionError, match="SUBMIT takes count, names"):
        interpreter.execute(call)


def test_a_submission_ends_the_code(interpreter: SessionInterpreter) -> None:
    submitting = "try:\n    SUBMIT('early')\nexcept Exception:\n    pass\nwent_on = True"
    assert interpreter.execute(submitting) == FinalOutput({"output": "early"})
    assert interpreter.execute("'went_on' in globals()") is False


def test_a_submission_that_was_caught_is_none(interpreter: SessionInterpreter) -> None:
    caught = "try:\n    SUBMIT('early')\nexcept BaseException:\n    pass\n'later'"
    assert interpreter.execute(caught) == "later"
    with pytest.raises(CodeExecutionError, match="ZeroDivisionError"):
        interpreter.execute("try:\n    SUBMIT('early')\nfinally:\n    1 / 0")


def test_a_large_submission_arrives_whole(interpreter: SessionInterpreter) -> None:
    submitted = interpreter.execute("SUBMIT('é' * 3_000_000)")
    assert submitted == FinalOutput({"output": "é" * 3_000_000})


def test_a_number_that_nobody_can_write_costs_no_submission(
    interpreter: SessionInterpreter,
) -> None:
    interpreter.output_fields = FIELDS
    submitted = interpreter.execute("SUBMIT(10**5000, ['a'])")
    assert submitted == FinalOutput({"count": "<int of 16,610 bits>", "names": ["a"]})


# Variables --------------------------------------------------------------------------------------


class Person(BaseModel):
    name: str
    born: date


@dataclass
class Point:
    x: int


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("text \ud800 \\ {braces}", r"'text \ud800 \\ {braces}'"),
        (b"\x00\xff", r"b'\x00\xff'"),
        ({"a": (1, 2), 3: {4}}, "{'a': (1, 2), 3: {4}}"),
        ([float("inf"), None, True], "[inf, None, True]"),
        (Person(name="Ada", born=date(1815, 12, 10)), "{'name': 'Ada', 'born': '1815-12-10'}"),
        ([Point(1)], "[{'x': 1}]"),
    ],
    ids=["text", "bytes", "nested", "numbers", "model", "dataclass"],
)
def test_variables_arrive(interpreter: SessionInterpreter, value: object, shown: str) -> None:
    assert interpreter.execute("repr(value)", {"value": value}) == shown


def test_a_variable_is_set_once_so_that_what_the_code_makes_of_it_is_kept(
    interpreter: SessionInterpreter,
) -> None:
    variables = {"text": "abc", "rows": [1, 2]}
    interpreter.execute("text = text.upper(); rows.append(3)", variables)
    assert interpreter.execute("text, rows", dict(variables)) == ["ABC", [1, 2, 3]]
    changed = {"text": "abc", "rows": [9]}
    assert interpreter.execute("text, rows", changed) == ["ABC", [9]]
    assert interpreter.execute("text", {"text": "abd"}) == "abd"


def test_a_variable_that_was_changed_in_place_goes_in_again(
    interpreter: SessionInterpreter,
) -> None:
    rows = [1]
    interpreter.execute("", {"rows": rows})
    rows.append(2)
    assert interpreter.execute("rows", {"rows": rows}) == [1, 2]


def test_a_large_variable_goes_in_as_a_file(interpreter: SessionInterpreter) -> None:
    text = "0123456789" * 3_000_000
    assert interpreter.execute("len(text)", {"text": text}) == len(text)


def test_a_variable_that_is_no_data_is_refused_and_the_session_lives_on(
    interpreter: SessionInterpreter,
) -> None:
    interpreter.execute("x = 1")
    with pytest.raises(CodeInterpreterError, match="'lock', of type lock"):
        interpreter.execute("x", {"lock": threading.Lock()})
    assert interpreter.execute("x") == 1


@pytest.mark.parametrize("name", ["SUBMIT", "class", "a-b", "tool"])
def test_names_that_mean_something_else_are_refused(factory: SidecarREPLFactory, name: str) -> None:
    interpreter = SessionInterpreter(factory, tools={"tool": len})
    refused = pytest.raises(CodeInterpreterError, match="cannot be the name of a variable")
    with interpreter, refused:
        interpreter.execute("1", {name: 1})


# Tools ------------------------------------------------------------------------------------------


def search(query: str, limit: int = 2) -> list[str]:
    """Find things."""
    if not query:
        raise ValueError("the query is empty")
    return [query] * limit


def test_tools_are_called_by_position_and_by_name(factory: SidecarREPLFactory) -> None:
    with SessionInterpreter(factory, tools={"search": search}) as interpreter:
        assert interpreter.execute("search('a')") == ["a", "a"]
        assert interpreter.execute("search('a', limit=1)") == ["a"]
        assert interpreter.execute("search(limit=0, query='a')") == []


def test_a_tool_that_takes_nothing_by_position_is_called_by_name(
    factory: SidecarREPLFactory,
) -> None:
    def by_name(**arguments: Any) -> Any:
        return arguments

    by_name.__signature__ = inspect.signature(search)  # type: ignore[attr-defined]  # as dspy's
    with SessionInterpreter(factory, tools={"by_name": by_name}) as interpreter:
        assert interpreter.execute("by_name('a', 3)") == {"query": "a", "limit": 3}


def test_tools_tell_what_they_are(factory: SidecarREPLFactory) -> None:
    with SessionInterpreter(factory, tools={"search": search}) as interpreter:
        doc = "search(query: 'str', limit: 'int' = 2) -> 'list[str]'\n\nFind things."
        assert interpreter.execute("search.__doc__") == doc


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("search('')", "ValueError: the query is empty"),
        ("search()", "TypeError: missing a required argument: 'query'"),
        ("search('a', 1, 2)", "TypeError: too many positional arguments"),
        ("broken()", "RuntimeError: CustomError: it broke"),
    ],
)
def test_errors_of_tools_are_raised_in_the_code(
    factory: SidecarREPLFactory, code: str, error: str
) -> None:
    class CustomError(Exception):
        pass

    def broken() -> None:
        raise CustomError("it broke")

    tools: dict[str, Any] = {"search": search, "broken": broken}
    with SessionInterpreter(factory, tools=tools) as interpreter:
        with pytest.raises(CodeExecutionError) as raised:
            interpreter.execute(code)
        assert str(raised.value).startswith(error)
        assert interpreter.execute("'well'") == "well"


def test_values_of_tools_are_data(factory: SidecarREPLFactory) -> None:
    person = Person(name="Ada", born=date(1815, 12, 10))
    tools = {"model": lambda: person, "point": lambda: (Point(1), {2}), "thing": lambda: len}
    with SessionInterpreter(factory, tools=tools) as interpreter:
        assert interpreter.execute("model()") == {"name": "Ada", "born": "1815-12-10"}
        assert interpreter.execute("point()") == [{"x": 1}, [2]]
        assert interpreter.execute("thing()") == "<built-in function len>"


def test_tools_run_in_the_thread_and_the_context_that_execute(factory: SidecarREPLFactory) -> None:
    setting: ContextVar[str] = ContextVar("setting", default="unset")
    database = sqlite3.connect(":memory:")  # which no other thread may use

    async def awaited() -> str:
        await asyncio.sleep(0)
        return setting.get()

    tools: dict[str, Any] = {
        "ask": lambda: database.execute("select 1").fetchone()[0],
        "plain": setting.get,
        "awaited": awaited,
    }

    async def inside_a_loop(interpreter: SessionInterpreter) -> Any:
        return interpreter.execute("ask(), plain(), awaited()")

    setting.set("set")
    with SessionInterpreter(factory, tools=tools) as interpreter:
        assert interpreter.execute("ask(), plain(), awaited()") == [1, "set", "set"]
        assert asyncio.run(inside_a_loop(interpreter)) == [1, "set", "set"]
    database.close()


def test_tools_that_come_later_are_there_and_those_that_go_are_gone(
    interpreter: SessionInterpreter,
) -> None:
    interpreter.execute("1")
    interpreter.tools.update({"now": lambda: "now"})
    assert interpreter.execute("now()") == "now"
    del interpreter.tools["now"]
    with pytest.raises(CodeExecutionError, match="NameError"):
        interpreter.execute("now()")


def test_code_cannot_take_the_name_of_a_tool_away(factory: SidecarREPLFactory) -> None:
    with SessionInterpreter(factory, tools={"search": search}) as interpreter:
        interpreter.execute("search = None; SUBMIT = 3")
        assert interpreter.execute("search('a', 1)") == ["a"]
        assert interpreter.execute("SUBMIT(1)") == FinalOutput({"output": 1})


def test_a_tool_may_not_execute_on_the_interpreter_that_waits_for_it(
    interpreter: SessionInterpreter,
) -> None:
    interpreter.tools["again"] = lambda: interpreter.execute("1")
    with pytest.raises(CodeExecutionError, match="already executes code"):
        interpreter.execute("again()")


def test_an_interrupt_while_a_tool_runs_ends_the_code_and_keeps_the_session(
    interpreter: SessionInterpreter,
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    interpreter.tools["interrupted"] = interrupted
    with pytest.raises(KeyboardInterrupt):
        interpreter.execute("x = 1\ntry:\n    interrupted()\nfinally:\n    x = 2")
    assert interpreter.execute("x") == 2


# Limits and ends --------------------------------------------------------------------------------


def test_code_that_takes_too_long_is_stopped_and_its_variables_are_kept(
    factory: SidecarREPLFactory,
) -> None:
    with SessionInterpreter(factory, cell_timeout_s=0.5) as interpreter:
        with pytest.raises(CodeExecutionError) as raised:
            interpreter.execute("n = 0\nprint('counting')\nwhile True: n += 1")
        assert "longer than 0.5 seconds" in str(raised.value)
        assert "counting" in str(raised.value)
        assert interpreter.execute("n > 0") is True


def test_code_that_must_be_killed_costs_only_what_it_did(factory: SidecarREPLFactory) -> None:
    stubborn = "while True:\n    try:\n        while True: pass\n    except BaseException: pass"
    with SessionInterpreter(factory, tools={"search": search}, cell_timeout_s=0.5) as interpreter:
        interpreter.execute("kept = len(text)", {"text": "abc"})
        with pytest.raises(CodeExecutionError, match="had to be killed"):
            interpreter.execute(stubborn, {"text": "abc"})
        assert interpreter.execute("text, search('a', 1)", {"text": "abc"}) == ["abc", ["a"]]


def test_input_is_refused_at_once(interpreter: SessionInterpreter) -> None:
    with pytest.raises(CodeExecutionError, match="nobody is there to type"):
        interpreter.execute("input('?')")


def test_a_flood_of_output_is_cut(factory: SidecarREPLFactory) -> None:
    with SessionInterpreter(factory, output_fields=FIELDS, output_limit=1000) as interpreter:
        shown = interpreter.execute("for n in range(100_000): print('line', n)")
        assert "characters cut here" in shown
        assert len(shown) < 1100
        assert shown.endswith("line 99999")


def test_one_interpreter_executes_one_code_at_a_time(factory: SidecarREPLFactory) -> None:
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        entered.set()
        assert leave.wait(30)

    with SessionInterpreter(factory, tools={"hold": hold}) as interpreter:
        holding = threading.Thread(target=interpreter.execute, args=("hold()",))
        holding.start()
        assert entered.wait(30)
        with pytest.raises(CodeInterpreterError, match="already executes"):
            interpreter.execute("1")
        leave.set()
        holding.join()
        assert interpreter.execute("1") == 1


def test_shut_down_it_leaves_no_session_and_is_of_no_more_use(
    manager: ManagerProcess, interpreter: SessionInterpreter
) -> None:
    interpreter.start()
    interpreter.start()
    assert len(asyncio.run(open_sessions(manager))) == 1
    interpreter.shutdown()
    interpreter.shutdown()
    assert asyncio.run(open_sessions(manager)) == []
    with pytest.raises(CodeInterpreterError, match="has ended"):
        interpreter.execute("1")


def test_forgotten_it_leaves_no_session_either(
    manager: ManagerProcess, factory: SidecarREPLFactory
) -> None:
    SessionInterpreter(factory).execute("1")
    assert asyncio.run(open_sessions(manager)) == []


def test_forgotten_in_a_cycle_it_is_ended_whichever_thread_finds_it(
    manager: ManagerProcess, factory: SidecarREPLFactory, interpreter: SessionInterpreter
) -> None:
    def forget() -> None:
        forgotten = SessionInterpreter(factory)
        forgotten.tools["itself"] = lambda: forgotten
        forgotten.execute("1")

    async def collect() -> None:
        gc.collect()

    interpreter.execute("1")
    assert interpreter._session is not None
    forget()
    interpreter._session._thread.run(collect())  # a session's own thread must not wait for itself
    for thread in threading.enumerate():
        if thread.name == ENDING:
            thread.join()
    assert len(asyncio.run(open_sessions(manager))) == 1


def test_a_process_that_ends_leaves_no_session(
    manager: ManagerProcess, factory: SidecarREPLFactory
) -> None:
    made = f"SidecarREPLFactory({factory.url!r}, {factory.token!r})"
    script = (
        "from rlm_kernel.agent import SidecarREPLFactory\n"
        "from rlm_kernel.agent.adapters.dspy_interpreter import SessionInterpreter\n"
        f"interpreter = SessionInterpreter({made})\n"
        "print(interpreter.execute('6 * 7'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout == "42\n"
    assert asyncio.run(open_sessions(manager)) == []


def test_shut_down_by_another_thread_what_executes_ends(
    factory: SidecarREPLFactory, interpreter: SessionInterpreter
) -> None:
    entered = threading.Event()
    interpreter.tools["enter"] = entered.set
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(interpreter.execute, "enter()\nwhile True: pass")
        assert entered.wait(60)
        interpreter.shutdown()
        with pytest.raises(CodeInterpreterError):
            running.result(60)


def test_a_session_that_is_gone_is_told_and_none_takes_its_place(
    manager: ManagerProcess, factory: SidecarREPLFactory, interpreter: SessionInterpreter
) -> None:
    interpreter.execute("x = 1")
    [session_id] = asyncio.run(open_sessions(manager))
    asyncio.run(factory.destroy_session(session_id))
    with pytest.raises(CodeInterpreterError) as raised:
        interpreter.execute("x")
    assert not isinstance(raised.value, CodeExecutionError)
    with pytest.raises(CodeInterpreterError, match="has ended"):
        interpreter.execute("x")


def test_without_a_manager_there_is_no_session() -> None:
    interpreter = SessionInterpreter(SidecarREPLFactory("http://127.0.0.1:9"))
    with pytest.raises(CodeInterpreterError, match="there is no session"):
        interpreter.start()


class Recorder(BaseCallback):  # type: ignore[misc]  # it has no types
    def __init__(self) -> None:
        self.seen: list[str] = []

    def on_interpreter_execute_start(self, call_id: str, instance: Any, inputs: Any) -> None:
        self.seen.append(inputs["code"])

    def on_interpreter_tool_call_start(self, call_id: str, instance: Any, inputs: Any) -> None:
        self.seen.append(inputs["tool_name"])

    def on_interpreter_shutdown_end(
        self, call_id: str, outputs: Any, exception: Any = None
    ) -> None:
        self.seen.append("shut down")


def test_callbacks_of_dspy_see_what_happens(factory: SidecarREPLFactory) -> None:
    recorder = Recorder()
    with SessionInterpreter(factory, tools={"search": search}, callbacks=[recorder]) as interpreter:
        interpreter.execute("search('a')")
    assert recorder.seen == ["search('a')", "search", "shut down"]
