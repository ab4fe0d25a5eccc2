"""The conversation of a run, kept within what its model can read."""

from __future__ import annotations

from dataclasses import dataclass

from rlm_kernel.agent.clipping import clip
from rlm_kernel.agent.models.model import Message

LEFT_OUT = (
    "[{turns} of your earlier turns are left out here to save room. The session still has the "
    "variables that they assigned, unless you were told that it lost them.]"
)
SUMMARISED = (
    "[{turns} of your earlier turns are left out here to save room. The session still has the "
    "variables that they assigned, unless you were told that it lost them. Your own summary of "
    "these turns:\n{summary}]"
)
_LEAST = 1_000
"""Characters of a message that stay in any case."""


@dataclass(frozen=True, slots=True)
class _Turn:
    reply: str
    told: str

    @property
    def size(self) -> int:
        return len(self.reply) + len(self.told)


class History:
    """Instructions and a question, which always stay, then turns: a reply and what was told to it.

    `limit` counts characters. Beyond it the oldest turns have to go (`excess`, `leave_out`); the
    latest always stays, shortened where it alone is too long. So a conversation has at most about
    `limit` characters beside its instructions and its question, however long it lasts.
    """

    def __init__(self, instructions: str, limit: int) -> None:
        self._instructions = instructions
        self._limit = limit
        self._opening = ""
        self._question = ""
        self._asked_at = -1
        self._pending: str | None = None
        self._turns: list[_Turn] = []
        self._left_out = 0
        self._summary = ""

    def ask(self, question: str) -> None:
        """Put a question: the first, or one that follows what was said before."""
        if not self._opening:
            self._opening = question
        elif self._pending is not None:
            self.add(self._pending, question)
        elif self._turns:  # the last run ended without an answer
            last = self._turns.pop()
            self.add(last.reply, f"{last.told}\n\n{question}")
        else:
            self._opening = question
        self._question, self._asked_at = question, len(self._turns) - 1

    def add(self, reply: str, told: str) -> None:
        """Append a turn."""
        self._pending = None
        self._turns.append(_Turn(reply, told))

    def close(self, reply: str) -> None:
        """Note the reply that answered the question; the next one is told to it."""
        self._pending = reply

    def excess(self) -> int:
        """How many of the oldest turns have to go: none while all have room, else so many that
        what stays takes half of the room at most."""
        sizes = [turn.size for turn in self._turns]
        if sum(sizes) <= self._room:
            return 0
        room, first = self._room // 2, len(sizes)
        while first > 0 and (room := room - sizes[first - 1]) >= 0:
            first -= 1
        return min(first, len(sizes) - 1)

    def oldest(self, turns: int) -> list[Message]:
        """What was said in the oldest turns."""
        return [message for turn in self._turns[:turns] for message in _messages(turn)]

    @property
    def summary(self) -> str:
        """Of the turns that are left out already; empty where there is none."""
        return self._summary

    def leave_out(self, turns: int, summary: str = "") -> None:
        """Drop the oldest turns; `summary`, of these and of those before, is told instead."""
        del self._turns[:turns]
        self._asked_at -= turns
        self._left_out += turns
        self._summary = clip(summary, max(_LEAST, self._limit // 4)) if summary else ""
        if self._asked_at < 0:
            self._opening = self._question

    def messages(self) -> list[Message]:
        """What to send to the model."""
        opening = self._opening if not self._left_out else f"{self._opening}\n\n{self._note}"
        kept = [message for turn in self._turns for message in _messages(self._fitted(turn))]
        return [Message("system", self._instructions), Message("user", opening), *kept]

    @property
    def _room(self) -> int:
        return self._limit - len(self._instructions) - len(self._opening) - len(self._summary)

    @property
    def _note(self) -> str:
        template = SUMMARISED if self._summary else LEFT_OUT
        return template.format(turns=self._left_out, summary=self._summary)

    def _fitted(self, turn: _Turn) -> _Turn:
        if turn.size <= self._room:
            return turn
        share = max(_LEAST, self._room // 2)
        return _Turn(clip(turn.reply, share), clip(turn.told, share))


def _messages(turn: _Turn) -> list[Message]:
    return [Message("assistant", turn.reply), Message("user", turn.told)]
