"""Recorded runs of a scripted model, in real sessions."""

from __future__ import annotations

import asyncio
from typing import Any

from rlm_kernel.agent import RLM_REPL, RunOptions, SidecarREPLFactory
from rlm_kernel.agent.models.terms import Terms
from rlm_kernel.agent.trajectory import Trajectory, record
from rlm_kernel.testing import ChatRequest, Script, ScriptedModelServer
from tests.agent.runs import code, model_of

RICH = """\
import sys
from IPython.display import HTML, clear_output, display
print("first")
clear_output()
print("in two", end=" ")
print("pieces")
print("to stderr", file=sys.stderr)
display(HTML("<b>bold</b>"))
handle = display("0 %", display_id="progress")
"""
ASKING = """\
handle.update("100 %")
replies = llm_query_batched(["count " + word for word in context.split()])
print(replies, llm_query("sum"))
"""


def record_script(
    factory: SidecarREPLFactory,
    script: Script,
    context: object = "",
    query: str = "What is it?",
    pricing: Terms | None = None,
    **options: Any,
) -> Trajectory:
    """The trajectory of a run of a model that answers as scripted."""
    with ScriptedModelServer(script) as server:
        model = model_of(server, pricing)
        rlm = RLM_REPL(model, repl_factory=factory, options=RunOptions(**options))
        return asyncio.run(record(rlm, context, query))


def lively(request: ChatRequest) -> str:
    """A script with all that a notebook can show: rich output, an error, sub-calls, a child run."""
    asked: str = request.last
    if asked.startswith("count "):
        return str(len(asked))
    if asked == "sum":
        return "fifteen"
    if "Question: add" in asked:
        return code("print(sum(context))\nFINAL(sum(context))")
    turns = [
        "Let me show something.\n" + code(RICH + "40 + 2"),
        code("1 / 0"),
        code(ASKING) + "\nand then\n" + code("print(rlm_query('add', context=[1, 2, 3]))"),
        "FINAL(replies[0] + ' letters')",
    ]
    taken: int = sum(message["role"] == "assistant" for message in request.messages)
    return turns[taken]


def lively_run(factory: SidecarREPLFactory) -> Trajectory:
    return record_script(factory, lively, "some words here", max_depth=2)
