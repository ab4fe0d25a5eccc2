"""The agent of `attach.ipynb`: a real run in a real session, whose model is a script.

    python notebooks/watched_agent.py

It works on the manager at WASM_MANAGER_SERVICE_URL (http://localhost:8080 if unset), shows its
steps, and waits for Enter before each of its turns but the first.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from rlm_kernel.agent import RLM_REPL, LiteLLMModel, SessionOpened
from rlm_kernel.agent.steps import StepPrinter
from rlm_kernel.testing import ChatRequest, ScriptedModelServer

TEXT = """\
A recursive language model does not read its document. It writes programs that read it, and looks
at what they print. Whatever it finds stays in variables, so that nothing has to be said twice. A
person who wants to know what it is doing need not guess: the variables are there to be looked at.
"""
TURNS = [
    "I take the long words, and call those long that have more than `limit` letters.\n"
    "```python\n"
    "limit = 7\n"
    "words = [word.strip('.,:').lower() for word in context.split()]\n"
    "found = sorted({word for word in words if len(word) > limit})\n"
    "print(len(found), 'words have more than', limit, 'letters')\n"
    "```",
    "Let me do it again, in case that the limit is another one now.\n"
    "```python\n"
    "found = sorted({word for word in words if len(word) > limit})\n"
    "print(len(found), 'words have more than', limit, 'letters')\n"
    "```",
    "```python\nFINAL(', '.join(found))\n```",
]


def next_turn(request: ChatRequest) -> str:
    """The model's reply: what stands in the script, when somebody presses Enter."""
    if request.index:
        input("Press Enter to let the agent go on. ")
    return TURNS[request.index]


async def watch(rlm: RLM_REPL) -> None:
    """Show what happens."""
    steps = StepPrinter()
    async with aclosing(rlm.astream(TEXT, "Which are the long words?")) as events:
        async for event in events:
            steps.show(event)
            if isinstance(event, SessionOpened):
                steps.say(f"session {event.session_id}")


def main() -> None:
    """Run the agent to its end."""
    with ScriptedModelServer(next_turn) as server:
        model = LiteLLMModel(server.model_name, api_base=server.base_url, api_key="none")
        rlm = RLM_REPL(model)
        asyncio.run(watch(rlm))
        print(rlm.last_answer.text if rlm.last_answer else "There is no answer.")


if __name__ == "__main__":
    main()
