"""The tasks there are, by name."""

from __future__ import annotations

from collections.abc import Callable

from rlm_kernel.agent.evaluation import oolong, oolong_pairs, s_niah
from rlm_kernel.agent.evaluation.item import Item, ItemName

TASKS: dict[str, Callable[[ItemName], Item]] = {
    "s-niah": s_niah.make_item,
    "oolong": oolong.make_item,
    "oolong-labelled": oolong.make_item,
    "oolong-pairs": oolong_pairs.make_item,
    "oolong-pairs-labelled": oolong_pairs.make_item,
}


def make_item(name: ItemName) -> Item:
    """The item of this name, made anew: a tenth of a second for 100,000 tokens."""
    return TASKS[name.task](name)
