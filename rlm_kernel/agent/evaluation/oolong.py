"""OOLONG-like: counting and comparing what has to be read first, after OOLONG (arXiv 2511.02817).

The context is a log of dated messages by users. The kind of each message is not in it and follows
from what the message says. Questions are about how the kinds are distributed, by themselves, over
users or over time. `oolong-labelled` is the same with the kinds in the log: code alone solves it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from random import Random

from rlm_kernel.agent.evaluation.item import Item, ItemName
from rlm_kernel.agent.evaluation.logbook import (
    DAYS,
    FIRST_DAY,
    Log,
    choose_users,
    expected_entries,
    skewed,
    write_log,
)
from rlm_kernel.agent.evaluation.truth import Choice, Number, Truth
from rlm_kernel.agent.evaluation.wordings import KINDS

MORE, LESS, SAME = "more often", "less often", "equally often"
_ORDERS = (MORE, LESS, SAME)
_SUBSET = 3

Asked = tuple[str, str, Truth]
"""The question, the form of its answer, and the truth."""


def make_item(name: ItemName) -> Item:
    """The item of this name."""
    rng, labelled = name.random(), name.task.endswith("-labelled")
    log = write_log(rng, name.length, _senders(rng, name.length), labelled=labelled)
    first = name.number % len(QUESTIONS)
    kinds = [*QUESTIONS][first:] + [*QUESTIONS][:first]
    for kind in kinds:
        asked = QUESTIONS[kind](rng, log)
        if asked is not None:
            question, form, truth = asked
            text = (
                f"{describe(labelled)}\n\n{question}\nEnd with a line of the form: Answer: {form}"
            )
            return Item(name, kind, log.text, text, truth)
    raise AssertionError("a count can always be asked for")


def describe(labelled: bool) -> str:
    """What a question says of the log."""
    kinds = "; ".join(f"{kind}: {meaning}" for kind, meaning in KINDS.items())
    where = (
        "The line names the kind of the message"
        if labelled
        else "The line does not name the kind, which follows from what the message says"
    )
    shape = "DATE | user NUMBER | KIND | MESSAGE" if labelled else "DATE | user NUMBER | MESSAGE"
    return (
        f"The text has one message to a repair shop in each line, in the form: {shape}. Each "
        f"message is of exactly one kind. {where}. The kinds: {kinds}."
    )


def _senders(rng: Random, tokens: int) -> Iterator[tuple[int, str]]:
    """Few users send most messages; each kind has a weight of its own."""
    users = choose_users(rng, expected_entries(tokens))
    weights = [rng.randrange(1, 10) for _ in KINDS]
    while True:
        yield skewed(rng, users), rng.choices([*KINDS], weights)[0]


def _count(rng: Random, log: Log) -> Asked:
    kind = rng.choice([*KINDS])
    question = f'How many messages are of the kind "{kind}"?'
    return question, "NUMBER", Number(log.count(kind))


def _extreme(rng: Random, log: Log) -> Asked | None:
    """The kind there is most or least of, where only one is."""
    counts = log.counts()
    word, target = rng.choice([("most", max), ("least", min)])
    found = [kind for kind in KINDS if counts[kind] == target(counts.values())]
    if len(found) > 1:
        return None
    return f"Which kind of message occurs {word} often?", "KIND", Choice(found[0], [*KINDS])


def _compare(rng: Random, log: Log) -> Asked:
    one, other = rng.sample([*KINDS], 2)
    question = (
        f'Do messages of the kind "{one}" occur {MORE}, {LESS} or {SAME} compared with those of '
        f'the kind "{other}"?'
    )
    return question, "/".join(_ORDERS), Choice(_order(log.count(one), log.count(other)), _ORDERS)


def _count_of_users(rng: Random, log: Log) -> Asked:
    kind, users = rng.choice([*KINDS]), sorted(rng.sample(log.users, min(_SUBSET, len(log.users))))
    named = ", ".join(map(str, users))
    question = f'Of the messages of the users {named}, how many are of the kind "{kind}"?'
    return question, "NUMBER", Number(log.count(kind, users=users))


def _top_user(rng: Random, log: Log) -> Asked | None:
    """The user with most messages of a kind, where there are any and only one user has so many."""
    kind = rng.choice([*KINDS])
    counts = {user: log.count(kind, users=[user]) for user in log.users}
    most = max(counts.values())
    found = [user for user in counts if counts[user] == most]
    if len(found) > 1 or not most:
        return None
    question = f'Which user sent the most messages of the kind "{kind}"?'
    return question, "USER", Number(found[0], count=False)


def _count_of_days(rng: Random, log: Log) -> Asked:
    kind, day = rng.choice([*KINDS]), _some_day(rng)
    question = f'How many messages dated before {day} are of the kind "{kind}"?'
    count = sum(entry.kind == kind and entry.day < day for entry in log.entries)
    return question, "NUMBER", Number(count)


def _compare_days(rng: Random, log: Log) -> Asked:
    kind, day = rng.choice([*KINDS]), _some_day(rng)
    before = sum(entry.kind == kind and entry.day < day for entry in log.entries)
    question = (
        f'Do messages of the kind "{kind}" occur {MORE}, {LESS} or {SAME} before {day} compared '
        "with on that day and after it?"
    )
    return question, "/".join(_ORDERS), Choice(_order(before, log.count(kind) - before), _ORDERS)


def _some_day(rng: Random) -> date:
    """Not so early or late that one side has next to nothing."""
    return FIRST_DAY + timedelta(rng.randrange(DAYS // 4, 3 * DAYS // 4))


def _order(one: int, other: int) -> str:
    return SAME if one == other else MORE if one > other else LESS


QUESTIONS: dict[str, Callable[[Random, Log], Asked | None]] = {
    "count": _count,
    "compare": _compare,
    "count of users": _count_of_users,
    "most or least": _extreme,
    "count of days": _count_of_days,
    "top user": _top_user,
    "compare days": _compare_days,
}
