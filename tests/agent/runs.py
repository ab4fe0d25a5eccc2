"""Runs of a scripted model over real HTTP, in real sessions."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from rlm_kernel.agent import (
    RLM_REPL,
    AnswerGiven,
    CodeFinished,
    CostSummary,
    Event,
    LiteLLMModel,
    OutputWritten,
    RunOptions,
    SidecarREPLFactory,
    Terms,
)
from rlm_kernel.agent.tools import Tools
from rlm_kernel.testing import Script, ScriptedModelServer


@dataclass(frozen=True, slots=True)
class Record:
    """A run that has ended. `told` is what the model was told last before each of its replies."""

    answer: AnswerGiven
    events: list[Event]
    told: list[str]
    requests: list[list[dict[str, Any]]]
    costs: CostSummary

    @property
    def output(self) -> str:
        """What all cells showed."""
        return "".join(event.text for event in self.events if isinstance(event, OutputWritten))

    @property
    def states(self) -> list[str]:
        """What became of the session after each cell."""
        return [event.state for event in self.events if isinstance(event, CodeFinished)]


def model_of(server: ScriptedModelServer, pricing: Terms | None = None) -> LiteLLMModel:
    return LiteLLMModel(
        server.model_name, api_base=server.base_url, api_key="a-test-key", pricing=pricing
    )


def run_script(
    factory: SidecarREPLFactory,
    script: Script,
    context: object = "",
    query: str = "What is it?",
    *,
    tools: Tools | None = None,
    answer_type: object = None,
    **options: Any,
) -> Record:
    """A run of a model that answers as scripted."""
    with ScriptedModelServer(script) as server:
        rlm = RLM_REPL(
            model_of(server),
            repl_factory=factory,
            options=RunOptions(**options),
            tools=tools,
            answer_type=answer_type,
        )
        events = asyncio.run(collect(rlm, context, query))
        assert rlm.last_answer is not None
        requests = [request.messages for request in server.requests]
        told = [request.last for request in server.requests]
    return Record(rlm.last_answer, events, told, requests, rlm.cost_summary())


async def collect(rlm: RLM_REPL, context: object, query: str) -> list[Event]:
    async with aclosing(rlm.astream(context, query)) as events:
        return [event async for event in events]


def code(text: str) -> str:
    """A reply that is one block of code."""
    return f"```python\n{text}\n```"
