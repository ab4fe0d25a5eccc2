"""Prose of no consequence, as much as is wanted, among which something can be hidden.

It is full of code names and of numbers with seven digits, so that neither gives a needle away.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

COLOURS = (
    "amber",
    "azure",
    "bronze",
    "copper",
    "crimson",
    "emerald",
    "golden",
    "indigo",
    "ivory",
    "jade",
    "lilac",
    "olive",
    "pearl",
    "scarlet",
    "silver",
    "violet",
)
PLACES = (
    "abbey",
    "anchor",
    "aqueduct",
    "arcade",
    "bastion",
    "beacon",
    "belfry",
    "bridge",
    "castle",
    "chapel",
    "cistern",
    "fountain",
    "garden",
    "granary",
    "harbour",
    "lighthouse",
    "mill",
    "orchard",
    "pavilion",
    "quarry",
    "rampart",
    "tower",
    "vineyard",
    "windmill",
)
_SENTENCES = (
    "The road to the {colour} {place} follows the river for most of the way.",
    "On market days the square before the {colour} {place} fills up before the sun is high.",
    "An old map puts the {place} further north than anybody remembers it.",
    "Parcel {number} waited two winters for whoever had sent it to the {colour} {place}.",
    "The keeper of the {colour} {place} writes down the weather every evening.",
    "It rained so long that year that the {place} stood in water up to its windows.",
    "A clerk entered the number {number} twice, and the count was wrong for a week.",
    "Children say that the {place} is hollow, and their grandparents say so too.",
    "The stones of the {colour} {place} were carried up by hand.",
    "Ticket {number} won the goose at the summer fair by the {place}.",
    "Nobody has repaired the roof of the {place} since the last storm.",
    "From the {colour} {place} one sees the ferry a full hour before it lands.",
    "The ledger of the {place} breaks off at entry {number} without a reason.",
    "In autumn the {colour} {place} is closed to visitors, and the key is kept at the inn.",
    "Two brothers quarrelled about the {place} and never spoke of it again.",
    "A letter of that time praises the echo under the {colour} {place}.",
    "The bell of the {place} was sold, and the tower has been silent since.",
    "Somebody had chalked {number} on the gate of the {place}, and it meant nothing.",
    "The path behind the {colour} {place} is steep and slippery after rain.",
    "Painters come for the light on the {colour} {place} in the early morning.",
)


def random_number(rng: Random) -> int:
    """A number of seven digits."""
    return rng.randrange(1_000_000, 10_000_000)


def sentences(rng: Random, *, without: tuple[str, str], number: int) -> Iterator[str]:
    """Sentences without end, none with the code name `without` (colour, place) or `number`."""
    while True:
        colour, place, other = rng.choice(COLOURS), rng.choice(PLACES), random_number(rng)
        if (colour, place) != without and other != number:
            template = rng.choice(_SENTENCES)
            yield template.format(colour=colour, place=place, number=other)
