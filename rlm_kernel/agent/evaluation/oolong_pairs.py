"""OOLONG-Pairs-like: all pairs of users that satisfy a condition (after arXiv 2512.24601, D.1).

The context is as in `oolong`, but each user has habits: kinds never, once, twice or often written
about. The conditions are of the three forms of the original: the same for both users; the same,
with a date that all messages of a kind must keep to; and one for each of the two.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import combinations
from random import Random

from rlm_kernel.agent.evaluation.item import Item, ItemName
from rlm_kernel.agent.evaluation.logbook import (
    DAYS,
    FIRST_DAY,
    Entry,
    Log,
    choose_users,
    expected_entries,
    skewed,
    write_log,
)
from rlm_kernel.agent.evaluation.oolong import describe
from rlm_kernel.agent.evaluation.truth import Pairs
from rlm_kernel.agent.evaluation.wordings import KINDS

SHARE = (0.02, 0.2)
"""What part of all pairs satisfies a condition: naming all pairs earns at most a third."""
_TRIES = 200
_HABITS = ("never", "never", "never", "once", "once", "twice", "often", "often")

Histories = dict[int, list[Entry]]
Test = Callable[[Sequence[Entry]], bool]


@dataclass(frozen=True, slots=True)
class Condition:
    """What a pair must satisfy: one of its users the first test, the other one the second."""

    text: str
    first: Test
    second: Test

    def pairs(self, histories: Histories) -> frozenset[tuple[int, int]]:
        """All pairs that do, the lower number first."""
        first = {user for user, entries in histories.items() if self.first(entries)}
        second = {user for user, entries in histories.items() if self.second(entries)}
        return frozenset(
            (a, b)
            for a, b in combinations(sorted(histories), 2)
            if (a in first and b in second) or (b in first and a in second)
        )


def make_item(name: ItemName) -> Item:
    """The item of this name."""
    rng, labelled = name.random(), name.task.endswith("-labelled")
    log = write_log(rng, name.length, _senders(rng, name.length), labelled=labelled)
    kind = [*CONDITIONS][name.number % len(CONDITIONS)]
    condition, pairs = _suitable(rng, CONDITIONS[kind], _histories(log))
    question = (
        f"{describe(labelled)}\n\nList all pairs of users {condition.text}. Name each pair once, "
        "the lower number first.\n"
        "End with a line that says Answer: and then one pair in each line, of the form: "
        "(NUMBER, NUMBER)"
    )
    return Item(name, kind, log.text, question, Pairs(pairs))


def _senders(rng: Random, tokens: int) -> Iterator[tuple[int, str]]:
    """First what is written once or twice, in any order; then, for ever, what is often."""
    users = choose_users(rng, expected_entries(tokens))
    habits = {user: {kind: rng.choice(_HABITS) for kind in KINDS} for user in users}
    for each in habits.values():
        each[rng.choice([*KINDS])] = "often"
    times = {"never": 0, "once": 1, "twice": 2, "often": 1}
    rare = [(u, k) for u in users for k in KINDS for _ in range(times[habits[u][k]])]
    rng.shuffle(rare)
    yield from rare
    while True:
        user = skewed(rng, users)
        yield user, rng.choice([kind for kind in KINDS if habits[user][kind] == "often"])


def _histories(log: Log) -> Histories:
    histories: Histories = {}
    for entry in log.entries:
        histories.setdefault(entry.user, []).append(entry)
    return histories


def _suitable(
    rng: Random, make: Callable[[Random], Condition], histories: Histories
) -> tuple[Condition, frozenset[tuple[int, int]]]:
    """A condition that few pairs satisfy, but some; in a short log, the nearest to that."""
    low, high = SHARE
    total = len(histories) * (len(histories) - 1) / 2
    best: tuple[float, Condition, frozenset[tuple[int, int]]] | None = None
    for _ in range(_TRIES):
        condition = make(rng)
        pairs = condition.pairs(histories)
        share = len(pairs) / total
        distance = max(low - share, share - high, 0.0) + (0.0 if pairs else 1.0)
        if best is None or distance < best[0]:
            best = (distance, condition, pairs)
        if not distance:
            break
    assert best is not None
    return best[1], best[2]


def _any_of(rng: Random) -> Condition:
    one, other = rng.sample([*KINDS], 2)
    both = rng.choice([True, False])
    test = _at_least({one: 1, other: 1}) if both else _either(one, other)
    text = (
        f'such that both users have at least one message of the kind "{one}" '
        f'{"and" if both else "or"} at least one of the kind "{other}"'
    )
    return Condition(text, test, test)


def _dated(rng: Random) -> Condition:
    one, other = rng.sample([*KINDS], 2)
    day = FIRST_DAY + timedelta(rng.randrange(DAYS // 8, 7 * DAYS // 8))
    after = rng.choice([True, False])
    some, dated = _either(one, other), _all_dated(one, day, after=after)
    text = (
        f'such that both users have at least one message of the kind "{one}" or "{other}", and '
        f'all messages of the kind "{one}" of both users are dated '
        f"{'after' if after else 'before'} {day}"
    )

    def test(entries: Sequence[Entry]) -> bool:
        return some(entries) and dated(entries)

    return Condition(text, test, test)


def _asymmetric(rng: Random) -> Condition:
    one, other, third = rng.sample([*KINDS], 3)
    number = rng.choice([1, 2])
    exactly = "exactly one message" if number == 1 else "exactly two messages"
    text = (
        f'such that one user has at least one message of the kind "{one}" and at least one of the '
        f'kind "{other}", and the other user has {exactly} of the kind "{third}"'
    )
    return Condition(text, _at_least({one: 1, other: 1}), _exactly(third, number))


def _either(one: str, other: str) -> Test:
    return lambda entries: any(entry.kind in (one, other) for entry in entries)


def _at_least(numbers: dict[str, int]) -> Test:
    def test(entries: Sequence[Entry]) -> bool:
        counts = Counter(entry.kind for entry in entries)
        return all(counts[kind] >= number for kind, number in numbers.items())

    return test


def _exactly(kind: str, number: int) -> Test:
    return lambda entries: sum(entry.kind == kind for entry in entries) == number


def _all_dated(kind: str, day: date, *, after: bool) -> Test:
    def test(entries: Sequence[Entry]) -> bool:
        days = [entry.day for entry in entries if entry.kind == kind]
        return all(each > day if after else each < day for each in days)

    return test


CONDITIONS: dict[str, Callable[[Random], Condition]] = {
    "both": _any_of,
    "both, dated": _dated,
    "one and the other": _asymmetric,
}
