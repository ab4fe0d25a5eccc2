"""Generated items: always the same, as long as asked for, and true as worked out once more."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlm_kernel.agent.evaluation import TASKS, Item, ItemName, estimate_tokens, make_item
from rlm_kernel.agent.evaluation.logbook import FIRST_DAY, Entry, Log
from rlm_kernel.agent.evaluation.oolong import QUESTIONS
from rlm_kernel.agent.evaluation.oolong_pairs import CONDITIONS, SHARE
from rlm_kernel.agent.evaluation.tokens import MIN_LENGTH
from rlm_kernel.agent.evaluation.truth import Pairs
from tests.agent.evaluation import solver
from tests.agent.evaluation.reader import kind_of

UNLABELLED = ("oolong", "oolong-pairs")
NAMES = st.builds(
    ItemName,
    task=st.sampled_from(sorted(TASKS)),
    length=st.integers(MIN_LENGTH, 6000),
    number=st.integers(0, 50),
    seed=st.integers(0, 2**32),
)

PINNED = ["30f120ef1554", "536263c4e00e", "3ef7ff189223", "e49918c20b93", "aed2fbad6260"]


def solved(item: Item) -> str:
    """The answer, from the text of the item alone."""
    reader = kind_of if item.name.task in UNLABELLED else None
    return solver.solve(item.context, item.question, reader)


def digest(item: Item) -> str:
    text = f"{item.kind}\n{item.context}\n{item.question}\n{item.truth}"
    return hashlib.sha256(text.encode()).hexdigest()


@settings(max_examples=150, deadline=None)
@given(name=NAMES)
def test_the_truth_is_what_the_text_says(name: ItemName) -> None:
    item = make_item(name)
    assert solved(item) == str(item.truth)


def test_nobody_sent_the_most_messages_of_a_kind_that_nobody_sent() -> None:
    log = Log((Entry(FIRST_DAY, 10_000, "praise", "Thank you."),), "")
    asked = [QUESTIONS["top user"](Random(seed), log) for seed in range(50)]
    assert None in asked
    assert all('"praise"' in question[0] for question in asked if question is not None)


@settings(max_examples=150, deadline=None)
@given(name=NAMES)
def test_a_context_is_as_long_as_asked_for_and_never_longer(name: ItemName) -> None:
    tokens = estimate_tokens(make_item(name).context)
    assert name.length - 150 < tokens <= name.length


@settings(max_examples=60, deadline=None)
@given(name=NAMES)
def test_the_truth_scores_1_and_nothing_scores_beyond_it(name: ItemName) -> None:
    truth = make_item(name).truth
    assert truth.score(f"Answer: {truth}").value == 1
    assert truth.score(str(truth)).value == 1
    assert 0 <= truth.score("I do not know.").value <= 1


@pytest.mark.parametrize("task", sorted(TASKS))
def test_the_largest_length_is_no_exception(task: str) -> None:
    item = make_item(ItemName(task, 1 << 20, 0))
    assert 0.999 < estimate_tokens(item.context) / (1 << 20) <= 1
    assert solved(item) == str(item.truth)


def test_other_processes_make_the_same_items() -> None:
    """Whatever their hash seed; and as long as VERSION stays, later versions do too."""
    script = (
        "from rlm_kernel.agent.evaluation import *\n"
        "from tests.agent.evaluation.test_generation import digest\n"
        "for task in sorted(TASKS): print(digest(make_item(ItemName(task, 2048, 3, 7))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120
    )
    ours = [digest(make_item(ItemName(task, 2048, 3, 7))) for task in sorted(TASKS)]
    assert done.stdout.split() == ours
    assert [each[:12] for each in ours] == PINNED


@pytest.mark.parametrize("change", [{"number": 1}, {"seed": 1}, {"length": 2049}])
@pytest.mark.parametrize("task", sorted(TASKS))
def test_another_name_is_another_text(task: str, change: dict[str, int]) -> None:
    usual = {"length": 2048, "number": 0, "seed": 0}
    one = make_item(ItemName(task, **usual))
    other = make_item(ItemName(task, **(usual | change)))
    assert one.context[:500] != other.context[:500]


def test_a_needle_stands_out_neither_by_its_number_nor_by_its_name() -> None:
    item = make_item(ItemName("s-niah", 8192, 0))
    named = re.search(r"access number of the (\w+) (\w+),", item.question)
    assert named is not None
    assert len(set(re.findall(r"\d{7}", item.context))) > 20
    assert len(re.findall(rf"\b{named[1]}\b", item.context)) > 1
    assert len(re.findall(rf"\b{named[2]}\b", item.context)) > 1
    assert item.context.count(f"{named[1]} {named[2]}") == 1


def test_needles_lie_anywhere() -> None:
    places = []
    for number in range(40):
        item = make_item(ItemName("s-niah", 2048, number))
        places.append(item.context.index(str(item.truth)) / len(item.context))
    assert min(places) < 0.2
    assert max(places) > 0.8


@pytest.mark.parametrize("task", ["oolong", "oolong-pairs"])
def test_no_line_names_its_kind_unless_it_is_labelled(task: str) -> None:
    plain = make_item(ItemName(task, 8192, 0))
    kinds = solver.kinds_in(plain.question)
    assert len(kinds) == 6
    assert not [kind for kind in kinds if kind in plain.context.lower()]
    labelled = make_item(ItemName(f"{task}-labelled", 8192, 0))
    assert all(any(f"| {k} |" in line for k in kinds) for line in labelled.context.splitlines())


def test_every_kind_of_question_comes_up() -> None:
    asked = {make_item(ItemName("oolong", 4096, number)).kind for number in range(14)}
    assert asked == set(QUESTIONS)
    asked = {make_item(ItemName("oolong-pairs", 4096, number)).kind for number in range(6)}
    assert asked == set(CONDITIONS)


def test_naming_all_pairs_is_no_good_answer() -> None:
    low, high = SHARE
    for number in range(12):
        item = make_item(ItemName("oolong-pairs", 8192, number))
        users = sorted({user for _, user, _ in solver.parse(item.context, kind_of)})
        every = [(a, b) for a in users for b in users if a < b]
        assert isinstance(item.truth, Pairs)
        # In so short a log there may be no condition that is quite as rare as wanted.
        assert low <= len(item.truth.value) / len(every) <= 1.25 * high
        assert item.truth.score(" ".join(map(str, every))).value <= 0.4


def test_few_users_send_most_messages() -> None:
    rows = solver.parse(make_item(ItemName("oolong", 32768, 0)).context, kind_of)
    users = [user for _, user, _ in rows]
    often = sorted((users.count(user) for user in set(users)), reverse=True)
    assert 0.7 < sum(often[: len(often) // 5]) / len(users) < 0.9
