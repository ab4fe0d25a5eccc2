"""The conversation of a run, kept within what its model can read."""

from __future__ import annotations

from rlm_kernel.agent.models import Message

_LEFT_OUT = (
    "[{turns} of your earlier turns are left out here to save room. "
    "Variables that they assigned are still in the session.]\n\n"
)


class History:
    """Opening messages that always stay, then turns: the model's reply and what it was told.

    `limit` counts characters. The oldest turns are left out where all together are longer, and the
    model is told how many; the latest turn always stays.
    """

    def __init__(self, opening: list[Message], limit: int) -> None:
        self._opening = opening
        self._limit = limit
        self._turns: list[tuple[Message, Message]] = []

    def add(self, reply: str, feedback: str) -> None:
        """Append a turn."""
        self._turns.append((Message("assistant", reply), Message("user", feedback)))

    def messages(self) -> list[Message]:
        """What to send to the model."""
        room = self._limit - _size(self._opening)
        first = len(self._turns)
        while first > 0 and (room := room - _size(self._turns[first - 1])) >= 0:
            first -= 1
        first = min(first, max(0, len(self._turns) - 1))
        kept = [message for turn in self._turns[first:] for message in turn]
        if not first:
            return [*self._opening, *kept]
        note = _LEFT_OUT.format(turns=first)
        last = self._opening[-1]
        return [*self._opening[:-1], Message(last.role, f"{last.content}\n\n{note}"), *kept]


def _size(messages: list[Message] | tuple[Message, Message]) -> int:
    return sum(len(message.content) for message in messages)
