"""Functions of the agent's own, called by the code of a session."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from rlm_kernel.agent import (
    RLM_REPL,
    OutputWritten,
    SidecarREPLFactory,
    ToolCallFinished,
    ToolCallStarted,
)
from rlm_kernel.agent.environment import HostCallFailedError
from rlm_kernel.agent.tools import Toolbox
from rlm_kernel.errors import ConfigurationError
from rlm_kernel.testing import ScriptedModelServer
from tests.agent.runs import code, model_of, run_script


def price(item: str, /, count: int = 1, *, currency: str = "EUR") -> dict[str, Any]:
    """What `item` costs."""
    return {"item": item, "count": count, "currency": currency, "parts": (1, b"2", {3})}


async def lookup(word: str) -> str:
    """What a word means."""
    await asyncio.sleep(0)
    return f"{word} means {{nothing}}"


def failing(kind: str) -> None:
    raise {"value": ValueError, "key": KeyError, "own": Unusual, "unicode": UnicodeError}[kind](
        "no luck"
    )


class Unusual(Exception):
    pass


def test_a_tool_is_called_with_any_arguments_and_gives_plain_data(
    factory: SidecarREPLFactory,
) -> None:
    cell = "r = price('tea', 2, currency='SEK')\nFINAL((r, lookup(word='x')))"
    record = run_script(factory, [code(cell)], tools={"price": price, "lookup": lookup})
    expected = (price("tea", 2, currency="SEK"), "x means {nothing}")
    assert record.answer.text == str(expected)
    started = [event for event in record.events if isinstance(event, ToolCallStarted)]
    assert started[0] == ToolCallStarted("0", 1, "price", "'tea', 2, currency='SEK'")
    ended = [event for event in record.events if isinstance(event, ToolCallFinished)]
    assert [(event.call, event.error) for event in ended] == [(1, None), (2, None)]


def test_a_model_and_the_code_see_how_a_tool_is_called(factory: SidecarREPLFactory) -> None:
    script = [code("print(price.__doc__)"), "FINAL(1)"]
    record = run_script(factory, script, tools=[price])
    shown = "(item: 'str', /, count: 'int' = 1, *, currency: 'str' = 'EUR') -> 'dict[str, Any]'"
    assert f"- `price{shown}`: What `item` costs.\n" in record.requests[0][0]["content"]
    assert record.told[1] == f"Output:\nprice{shown}\n\nWhat `item` costs."


@pytest.mark.parametrize(
    ("call", "caught", "text"),
    [
        ("failing('value')", "ValueError", "no luck"),
        ("failing('value')", "ToolError", "no luck"),
        ("failing('key')", "KeyError", "no luck"),
        ("failing('own')", "ToolError", "Unusual: no luck"),
        ("failing('unicode')", "UnicodeError", "no luck"),
        ("failing()", "TypeError", "failing() missing 1 required positional argument: 'kind'"),
        ("failing(kin='value')", "TypeError", "failing() got an unexpected keyword argument 'kin'"),
        ("failing(object())", "TypeError", "argument 1 of failing is of type object"),
    ],
)
def test_what_a_tool_raises_is_raised_in_the_code(
    factory: SidecarREPLFactory, call: str, caught: str, text: str
) -> None:
    cell = f"try:\n    {call}\nexcept {caught} as error:\n    FINAL(str(error))"
    assert text in run_script(factory, [code(cell)], tools=[failing]).answer.text


def test_a_value_that_cannot_travel_is_an_error_of_the_call(factory: SidecarREPLFactory) -> None:
    script = [code("thing()"), "FINAL(1)"]
    record = run_script(factory, script, tools={"thing": lambda: [object()]})
    assert "TypeError: what thing returned[0] is of type object" in record.told[1]


def test_children_have_the_tools_too(factory: SidecarREPLFactory) -> None:
    script = [code("FINAL(rlm_query('x'))"), code("FINAL(lookup('child'))")]
    answer = run_script(factory, script, tools=[lookup], max_depth=2).answer
    assert answer.text == "child means {nothing}"


def test_a_slow_tool_ends_with_its_cell_and_the_run_does_not_wait_for_its_thread(
    factory: SidecarREPLFactory,
) -> None:
    cancelled, never = threading.Event(), threading.Event()

    async def slow() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            cancelled.set()

    def deaf() -> None:
        never.wait(250)

    script = [code("x = 1\nslow()"), code("deaf()"), code("FINAL(x)")]
    record = run_script(factory, script, tools=[slow, deaf], cell_timeout_s=0.5)
    assert cancelled.is_set()
    assert record.answer.text == "1"
    assert record.states == ["kept"] * 3
    ended = [event.error for event in record.events if isinstance(event, ToolCallFinished)]
    assert ended == ["cancelled", "cancelled"]
    assert any(thread.name == "rlm-kernel-tool" for thread in threading.enumerate())
    never.set()


def test_a_cancelled_run_cancels_its_tool(factory: SidecarREPLFactory) -> None:
    async def run() -> None:
        started, cancelled = asyncio.Event(), asyncio.Event()

        async def slow() -> None:
            started.set()
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                cancelled.set()

        with ScriptedModelServer([code("slow()")]) as server:
            rlm = RLM_REPL(model_of(server), repl_factory=factory, tools=[slow])
            running = asyncio.create_task(rlm.acompletion())
            await started.wait()
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            assert cancelled.is_set()

    asyncio.run(run())


def test_a_tool_of_no_thread_safety_at_all_may_print_and_exit(factory: SidecarREPLFactory) -> None:
    def leave() -> None:
        raise SystemExit(3)

    def stop() -> None:
        raise StopIteration("end")

    cell = (
        "for tool in (leave, stop):\n    try: tool()\n"
        "    except RuntimeError as error: print(error)\n"
    )
    record = run_script(factory, [code(cell), "FINAL(1)"], tools=[leave, stop])
    output = "".join(event.text for event in record.events if isinstance(event, OutputWritten))
    assert output == "SystemExit: 3\nStopIteration: end\n"


@pytest.mark.parametrize(
    ("tools", "problem"),
    [
        ({"FINAL": price}, "'FINAL': sessions have that already"),
        ({"llm_query": price}, "sessions have that already"),
        ({"rlm_query": price}, "sessions have that already"),
        ({"ToolError": price}, "sessions have that already"),
        ({"context": price}, "sessions have that already"),
        ({"context_3": price}, "sessions have that already"),
        ({"history": price}, "sessions have that already"),
        ({"answer": price}, "sessions have that already"),
        ({"get_ipython": price}, "sessions have that already"),
        ({"print": price}, "sessions have that already"),
        ({"_rlm": price}, "sessions have that already"),
        ({"class": price}, "it is no name in Python"),
        ({"a b": price}, "it is no name in Python"),
        ([lambda: None], "it is no name in Python"),
        ([price, price], "several tools of the name 'price'"),
        ({"x": 5}, "'x' is no function"),
    ],
)
def test_what_cannot_be_a_tool_is_a_configuration_error(tools: Any, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        RLM_REPL("openai/x", tools=tools)


def test_a_function_without_a_signature_is_a_tool_too() -> None:
    (tool,) = Toolbox.of({"largest": max})
    assert tool.signature == "(...)"


def test_a_tool_that_does_not_exist_is_a_failed_call() -> None:
    with pytest.raises(HostCallFailedError, match="NameError: there is no tool 'x'"):
        asyncio.run(Toolbox().call("x", [], {}))


@pytest.mark.parametrize("value", [{"$type": "nothing"}, {"$type": "bytes", "base64": "z"}])
def test_arguments_that_no_session_packs_are_an_error_of_that_call(
    factory: SidecarREPLFactory, value: object
) -> None:
    cell = (
        "from rlm_kernel.guest.host import call\n"
        f"call('tool', {{'name': 'price', 'args': [{value!r}], 'kwargs': {{}}}})"
    )
    record = run_script(factory, [code(cell), "FINAL(1)"], tools={"price": price})
    assert "HostCallError" in record.told[-1]
    told = [e for e in record.events if isinstance(e, ToolCallStarted | ToolCallFinished)]
    assert [type(event) for event in told] == [ToolCallStarted, ToolCallFinished]


async def test_an_asynchronous_tool_that_exits_fails_and_no_more() -> None:
    async def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(HostCallFailedError, match="SystemExit: 3"):
        await Toolbox.of([leave]).call("leave", [], {})
