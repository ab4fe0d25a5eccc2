"""A log of messages: lines with a date, a user and a text, whose kinds are known to us alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from rlm_kernel.agent.evaluation.messages import write_message
from rlm_kernel.agent.evaluation.tokens import QUARTERS, quarter_tokens
from rlm_kernel.agent.evaluation.wordings import KINDS

FIRST_DAY = date(2024, 1, 1)
DAYS = 366
_TOKENS_IN_LINE = 51  # on average, to know beforehand about how many lines there will be


@dataclass(frozen=True, slots=True)
class Entry:
    """One message: who sent it, when, and what it is."""

    day: date
    user: int
    kind: str
    text: str

    def line(self, *, labelled: bool = False) -> str:
        """As it stands in the log; `labelled` shows the kind."""
        label = f" | {self.kind}" if labelled else ""
        return f"{self.day.isoformat()} | user {self.user}{label} | {self.text}"


@dataclass(frozen=True, slots=True)
class Log:
    """Entries in no order, and the text they make."""

    entries: tuple[Entry, ...]
    text: str

    @property
    def users(self) -> list[int]:
        """Those who sent anything, in order."""
        return sorted({entry.user for entry in self.entries})

    def count(self, kind: str, *, users: Iterable[int] | None = None) -> int:
        """How many messages are of this kind, of all users or of these."""
        wanted = None if users is None else set(users)
        return sum(
            entry.kind == kind and (wanted is None or entry.user in wanted)
            for entry in self.entries
        )

    def counts(self) -> dict[str, int]:
        """How many messages there are of each kind, the kinds without any included."""
        return {kind: self.count(kind) for kind in KINDS}


def expected_entries(tokens: int) -> int:
    """About how many messages fit in."""
    return tokens // _TOKENS_IN_LINE


def choose_users(rng: Random, entries: int) -> list[int]:
    """Users for so many entries: their number grows with the square root."""
    return rng.sample(range(10_000, 100_000), max(6, round(1.5 * math.sqrt(entries))))


def skewed(rng: Random, users: Sequence[int]) -> int:
    """One of the users: four times out of five, one of the first fifth."""
    busy = users[: max(1, len(users) // 5)]
    return rng.choice(busy if rng.random() < 0.8 else users)


def write_log(
    rng: Random, tokens: int, senders: Iterator[tuple[int, str]], *, labelled: bool = False
) -> Log:
    """A log that is just not longer than `tokens`, with messages from (user, kind)."""
    entries, room = [], tokens * QUARTERS
    for user, kind in senders:
        day = FIRST_DAY + timedelta(rng.randrange(DAYS))
        entry = Entry(day, user, kind, write_message(rng, kind))
        room -= quarter_tokens(entry.line(labelled=labelled)) + 1
        if room < 0:
            break
        entries.append(entry)
    rng.shuffle(entries)
    text = "".join(f"{entry.line(labelled=labelled)}\n" for entry in entries)
    return Log(tuple(entries), text)
