"""Solves items from their text alone, in another way than they were made.

This file is also sent into sessions, as what a perfect model would write: it must not import
anything but the standard library.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import combinations

KindOf = Callable[[str], str]
Row = tuple[str, int, str]
LINE = re.compile(r"(\d{4}-\d\d-\d\d) \| user (\d+) \| (?:([a-z ]+) \| )?(.*)")
QUOTED = re.compile(r'"([a-z ]+)"')
DAY = re.compile(r"\d{4}-\d\d-\d\d")


def solve(context: str, question: str, kind_of: KindOf | None = None) -> str:
    """The answer; `kind_of` tells the kind of a message where the lines do not."""
    if "access number" in question:
        return needle(context, question)
    rows = parse(context, kind_of)
    asked = question.split("\n\n")[1]
    if "pairs of users" in asked:
        found = pairs(rows, asked)
        return "\n".join(f"({a}, {b})" for a, b in found) or "none"
    return aggregate(rows, asked, kinds_in(question))


def kinds_in(question: str) -> list[str]:
    listed = question.split("The kinds: ")[1].split("\n\n")[0]
    return [part.split(":")[0].strip() for part in listed.split(";")]


def parse(context: str, kind_of: KindOf | None = None) -> list[Row]:
    rows = []
    for line in context.splitlines():
        match = LINE.fullmatch(line)
        assert match, line
        day, user, kind, text = match.groups()
        if kind is None:
            assert kind_of is not None
            kind = kind_of(text)
        rows.append((day, int(user), kind))
    return rows


def needle(context: str, question: str) -> str:
    found = re.search(r"access number of the (\w+ \w+),", question)
    assert found
    name = found[1]
    sentences = [s for s in re.split(r"(?<=[.])\s+", context) if name in s]
    numbers = [n for s in sentences for n in re.findall(r"\d{7}", s)]
    assert len(numbers) == 1, sentences
    return str(numbers[0])


def aggregate(rows: list[Row], asked: str, kinds: list[str]) -> str:
    named = QUOTED.findall(asked)
    totals = Counter(kind for _, _, kind in rows)
    if asked.startswith("Which kind"):
        pick = max if "most often" in asked else min
        return pick(kinds, key=lambda kind: totals[kind])
    kind = named[0]
    if asked.startswith("Which user"):
        return str(Counter(user for _, user, each in rows if each == kind).most_common(1)[0][0])
    if asked.startswith("Of the messages of the users"):
        users = {int(number) for number in re.findall(r"\d{5}", asked)}
        return str(len([1 for _, user, each in rows if each == kind and user in users]))
    day = DAY.search(asked)
    if day is None:
        if len(named) == 2:
            return order(totals[named[0]], totals[named[1]])
        return str(totals[kind])
    before = len([1 for date, _, each in rows if each == kind and date < day[0]])
    return order(before, totals[kind] - before) if asked.startswith("Do ") else str(before)


def order(one: int, other: int) -> str:
    return (
        {True: "more often", False: "less often"}[one > other] if one != other else "equally often"
    )


def pairs(rows: list[Row], asked: str) -> list[tuple[int, int]]:
    by_user: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for day, user, kind in rows:
        by_user[user].append((day, kind))
    return [
        (a, b)
        for a, b in combinations(sorted(by_user), 2)
        if satisfied(by_user[a], by_user[b], asked)
    ]


def satisfied(a: list[tuple[str, str]], b: list[tuple[str, str]], asked: str) -> bool:
    named = QUOTED.findall(asked)
    if "one user has" in asked:
        number = 1 if "exactly one message" in asked else 2
        return one_and_other(a, b, named, number) or one_and_other(b, a, named, number)
    if "are dated" in asked:
        limit = DAY.search(asked)
        assert limit
        after = "dated after" in asked
        return all(dated(each, named, limit[0], after) for each in (a, b))
    both = '" and at least one' in asked
    return all((all if both else any)(has(each, kind) for kind in named) for each in (a, b))


def one_and_other(
    a: list[tuple[str, str]], b: list[tuple[str, str]], named: list[str], number: int
) -> bool:
    exactly = sum(kind == named[2] for _, kind in b) == number
    return has(a, named[0]) and has(a, named[1]) and exactly


def dated(entries: list[tuple[str, str]], named: list[str], limit: str, after: bool) -> bool:
    some = has(entries, named[0]) or has(entries, named[1])
    days = [day for day, kind in entries if kind == named[0]]
    return some and all(day > limit if after else day < limit for day in days)


def has(entries: list[tuple[str, str]], kind: str) -> bool:
    return kind in {each for _, each in entries}
