"""Short messages of a known kind, each put together anew; only reading tells the kind."""

from __future__ import annotations

import string
from random import Random

from rlm_kernel.agent.evaluation.wordings import ASIDES, CORES, LEADS, SLOTS

_ASIDES_OF_TEN = (1, 1, 1, 1, 1, 1, 2, 2, 0, 0)


def write_message(rng: Random, kind: str) -> str:
    """A message whose writer wants what `kind` says (see `wordings.KINDS`), in one line."""
    sentences = rng.sample(ASIDES, rng.choice(_ASIDES_OF_TEN))
    sentences.insert(rng.randrange(len(sentences) + 1), rng.choice(CORES[kind]))
    parts = [rng.choice(LEADS), *sentences]
    return " ".join(_capitalised(_filled(rng, part)) for part in parts if part)


def _filled(rng: Random, sentence: str) -> str:
    slots = {name for _, name, _, _ in string.Formatter().parse(sentence) if name}
    return sentence.format(**{name: rng.choice(SLOTS[name]) for name in sorted(slots)})


def _capitalised(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]
