"""Old turns of a conversation that has become too long: summarised by its model, or left out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

from rlm_kernel.agent.clipping import clip
from rlm_kernel.agent.history import History
from rlm_kernel.errors import ModelError

Compaction = Literal["leave_out", "summarise"]

_TASK = """\
Below are the oldest turns of your own work on a question: what you wrote, and what you were told \
in return. They are about to be removed from the conversation. Summarise them in at most {words} \
words, for yourself: what you tried, what you found out (exact figures and names), which variables \
hold what, and what is left to do. Reply with the summary alone.

{earlier}{turns}"""
_EARLIER = "Your summary of the turns before these:\n{summary}\n\n"
_CHARACTERS_PER_WORD = 8


async def compact(
    history: History, kind: Compaction, limit: int, ask: Callable[[str], Awaitable[str]]
) -> None:
    """Make room where the conversation has none left, once.

    `ask` has the model reply to a prompt, which is no longer than about `limit` characters. Where
    that fails with ModelError, or the reply is empty, the turns are left out without a summary.
    """
    turns = history.excess()
    if not turns:
        return
    summary = ""
    if kind == "summarise":
        try:
            summary = (await ask(_prompt(history, turns, limit))).strip()
        except ModelError:
            summary = ""
    history.leave_out(turns, summary or history.summary)


def _prompt(history: History, turns: int, limit: int) -> str:
    said = [
        f"{'You wrote' if message.role == 'assistant' else 'You were told'}:\n{message.content}"
        for message in history.oldest(turns)
    ]
    earlier = _EARLIER.format(summary=history.summary) if history.summary else ""
    words = max(100, limit // 8 // _CHARACTERS_PER_WORD)
    turns_text = clip("\n\n".join(said), limit)
    return _TASK.format(words=words, earlier=earlier, turns=turns_text)
