"""Flaw 10: a child must print its own context to learn its task."""

from __future__ import annotations

import pytest

from rlm_kernel.agent import SidecarREPLFactory
from rlm_kernel.testing import ChatRequest, Step
from tests.agent.runs import code, run_script

CONTEXTS = {
    "'one\\ntwo'": ("`context` is a str: 7 bytes as JSON", "str"),
    "[1, 2, (3, 4)]": ("`context` is a list", "list"),
    "{'a': {1, 2}}": ("`context` is a dict", "dict"),
    "b'\\xff'": ("`context` is a bytes", "bytes"),
}


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("fork", [False, True], ids=["own session", "copy"])
def test_a_child_is_told_its_task_and_has_its_context_as_an_object(
    factory: SidecarREPLFactory, context: str, fork: bool
) -> None:
    """Its first reply can be the answer: it has looked at nothing by then."""

    def reply(request: ChatRequest) -> Step:
        if "Question: What is it?" in request.last:
            return code(f"FINAL(rlm_query('Show the data.', context={context}, fork={fork}))")
        return code("FINAL(f'{type(context).__name__}: {context!r}')")

    record = run_script(factory, reply, "the parent's", max_depth=2)
    _, kind = CONTEXTS[context]
    value = eval(context)
    assert record.answer.text == f"{kind}: {value!r}"
    assert len(record.requests) == 2
    told = record.requests[1][-1]["content"]
    assert told.endswith("Question: Show the data.")
    assert f"`context` is a {kind}: " in told
    assert repr(value) not in told or len(repr(value)) < 20


def test_a_task_alone_needs_no_context(factory: SidecarREPLFactory) -> None:
    def reply(request: ChatRequest) -> Step:
        if "Question: What is it?" in request.last:
            return code("FINAL(rlm_query('What is 6 * 7?'))")
        return code("FINAL(6 * 7)")

    record = run_script(factory, reply, "the parent's", max_depth=2)
    assert record.answer.text == "42"
    assert record.told[1].endswith("Question: What is 6 * 7?")
