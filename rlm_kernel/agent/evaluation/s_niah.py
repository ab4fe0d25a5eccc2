"""S-NIAH: a single needle in a haystack, after RULER (arXiv 2404.06654).

Somewhere in prose there is one sentence that gives a code name a number of seven digits. The prose
has other code names and other numbers, but never those together: the sentence has to be found by
what it says. Code that searches for the name finds it.
"""

from __future__ import annotations

from random import Random

from rlm_kernel.agent.evaluation.filler import COLOURS, PLACES, random_number, sentences
from rlm_kernel.agent.evaluation.item import Item, ItemName
from rlm_kernel.agent.evaluation.tokens import QUARTERS, quarter_tokens
from rlm_kernel.agent.evaluation.truth import Number

NEEDLES = (
    "The access number of the {name} is {number}.",
    "Whoever asks for the {name} is to be given the number {number}.",
    "{number} is what opens the {name}.",
    "To enter the {name} one has to say {number}.",
    "Remember {number}: without it nobody gets into the {name}.",
)
_QUESTION = (
    "The text hides one sentence that tells the access number of the {name}, a number of seven "
    "digits. What is the access number of the {name}?\n"
    "End with a line of the form: Answer: NUMBER"
)
_SENTENCES_IN_PARAGRAPH = 6


def make_item(name: ItemName) -> Item:
    """The item of this name."""
    rng = name.random()
    key, number = (rng.choice(COLOURS), rng.choice(PLACES)), random_number(rng)
    place = " ".join(key)
    needle = rng.choice(NEEDLES).format(name=place, number=number)
    context = _hide(rng, needle, key, number, name.length)
    question = _QUESTION.format(name=place)
    return Item(name, "number", context, question, Number(number, count=False))


def _hide(rng: Random, needle: str, key: tuple[str, str], number: int, tokens: int) -> str:
    """Prose of at most so many tokens with the needle at a random place in it."""
    pieces: list[str] = []
    room = tokens * QUARTERS - quarter_tokens(needle) - 1
    for sentence in sentences(rng, without=key, number=number):
        room -= quarter_tokens(sentence) + 1
        if room < 0:
            break
        pieces.append(sentence)
    pieces.insert(rng.randrange(len(pieces) + 1), needle)
    ends = ("\n" if place % _SENTENCES_IN_PARAGRAPH == 0 else " " for place in range(1, 1 << 62))
    return "".join(f"{piece}{end}" for piece, end in zip(pieces, ends, strict=False))
