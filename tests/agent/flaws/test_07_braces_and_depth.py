"""Flaw 7: a system prompt of one's own that has braces is a KeyError, and `max_depth=0` returns
something of another type.
"""

from __future__ import annotations

import pytest

from rlm_kernel.agent import RLM_REPL, RunOptions, RunResult, SidecarREPLFactory
from rlm_kernel.testing import ScriptedModelServer
from tests.agent.runs import code, model_of, run_script

OWN = 'Answer as {"key": [1]} does, {context} of {0} and {{x}}; 100 % of it: %s %(name)d { $x ${y}'


def test_braces_in_a_system_prompt_are_just_braces(factory: SidecarREPLFactory) -> None:
    record = run_script(factory, [code("FINAL(context)")], "abc", system_prompt=OWN)
    assert record.answer.text == "abc"
    assert record.requests[0][0] == {"role": "system", "content": OWN}


def test_braces_anywhere_else_are_too(factory: SidecarREPLFactory) -> None:
    def tool(x: object = "{x}") -> str:
        """Gives {x}."""
        return "{y}"

    script = [code("print('{z}', tool())"), code("print({'a': 1})\n'{b}'"), "FINAL({c})"]
    record = run_script(factory, script, {"{k}": "{v}"}, "{query}?", tools=[tool])
    assert record.answer.text == "{c}"
    assert "{query}?" in record.told[0]
    assert "('{k}')" in record.told[0]
    assert record.told[1:] == ["Output:\n{z} {y}", "Output:\n{'a': 1}\n'{b}'"]
    assert "Gives {x}." in record.requests[0][0]["content"]


@pytest.mark.parametrize("depth", [0, 1, 2, 3])
def test_an_answer_is_of_the_same_type_at_every_depth(
    factory: SidecarREPLFactory, depth: int
) -> None:
    with ScriptedModelServer(lambda request: code("x = 1\nFINAL({'x': x})")) as server:
        options = RunOptions(max_depth=depth, system_prompt=OWN)
        rlm = RLM_REPL(model_of(server), repl_factory=factory, options=options)
        text = rlm.completion("abc", "?")
        result = rlm.run("abc", "?")
        value = rlm.completion("abc", "?", answer_type=dict)
    assert (type(text), text) == (str, "{'x': 1}")
    assert (type(result), result.response, result.value) == (RunResult, text, text)
    assert value == {"x": 1}
