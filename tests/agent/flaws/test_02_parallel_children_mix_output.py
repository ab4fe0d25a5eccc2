"""Flaw 2: parallel children mix their printed output (28 of 30 lines went to one child)."""

from __future__ import annotations

import pytest

from rlm_kernel.agent import OutputWritten, SidecarREPLFactory
from rlm_kernel.testing import ChatRequest, Step
from tests.agent.runs import code, run_script

CHILDREN = [f"child-{number}" for number in range(6)]
# Between two lines each waits for the others: nobody could print all of its own first.
CHILD = """\
for n in range(10):
    print(context, n)
    llm_query('next')
1"""


@pytest.mark.parametrize(
    "call",
    [
        f"rlm_query_batched({CHILDREN!r}, {CHILDREN!r})",
        f"rlm_query_batched({CHILDREN!r}, {CHILDREN!r}, fork=True)",
        f"await asyncio.gather(*(arlm_query(name, name) for name in {CHILDREN!r}))",
    ],
    ids=["batch", "copies", "awaited"],
)
def test_each_child_has_its_own_output_and_the_parent_none_of_it(
    factory: SidecarREPLFactory, call: str
) -> None:
    def reply(request: ChatRequest) -> Step:
        if request.last == "next":
            return "go on"
        if "Question: What is it?" in request.last:
            return code(f"import asyncio\nprint('parent')\nFINAL({call})")
        return code(CHILD) if len(request.messages) == 2 else "FINAL(done)"

    record = run_script(factory, reply, max_depth=2)
    assert record.answer.text == str(["done"] * len(CHILDREN))
    shown: dict[str, str] = {}
    for event in record.events:
        if isinstance(event, OutputWritten):
            shown[event.run] = shown.get(event.run, "") + event.text
    assert shown.pop("0") == "parent\n"
    for number, name in enumerate(CHILDREN, 1):
        lines = "".join(f"{name} {n}\n" for n in range(10))
        assert shown[f"0.{number}"] == f"{lines}1\n"
    told = [messages[-1]["content"] for messages in record.requests if len(messages) > 3]
    assert sorted(text.split()[1] for text in told) == CHILDREN
    assert all(text.count("child-") == 10 for text in told)
