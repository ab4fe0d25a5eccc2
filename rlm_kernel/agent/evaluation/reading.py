"""What a free-text answer says: the number, the choice or the pairs in it.

Every question asks for a line `Answer: ...`. Where an answer has one, the last such line is read
from its start; where it has none, all of the answer is read from its end, because models state a
result last. Thoughts in `<think>` tags are no part of an answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rlm_kernel.agent.fences import without_thoughts

_MARK = re.compile(r"answer\W{0,4}[:=]\W{0,4}|\\boxed\s*\{", re.IGNORECASE)
_SEPARATOR = re.compile(r"(?<=\d)[,_\u202f\u00a0](?=\d{3}(?!\d))")
_NUMBER = re.compile(r"(?<![\d.])-?\d+(?![\d.]*\d)")
_PAIR = re.compile(r"(\d{5})\D{1,12}?(\d{5})(?!\d)")
_WORDS = {
    word: number
    for number, word in enumerate(
        (
            *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
            *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen"),
            *("seventeen", "eighteen", "nineteen", "twenty"),
        )
    )
}
_ANY_CASE = re.IGNORECASE | re.ASCII  # else an s is also the long one, which lower() leaves long
_WORD = re.compile(rf"\b(?:{'|'.join(_WORDS)})\b", _ANY_CASE)
_MOST_DIGITS = 100  # models that go round in circles write thousands, more than int() takes


@dataclass(frozen=True, slots=True)
class Statement:
    """The part of an answer that counts. `marked` says that a line `Answer:` introduced it."""

    text: str
    marked: bool

    @classmethod
    def of(cls, answer: str) -> Statement:
        """Find it."""
        text = without_thoughts(answer).strip()
        marks = list(_MARK.finditer(text))
        if not marks or not text[marks[-1].end() :].strip():
            return cls(text, marked=False)
        return cls(text[marks[-1].end() :], marked=True)

    @property
    def number(self) -> int | None:
        """The number it names: digits, with or without separators, or else a word up to twenty."""
        text = _SEPARATOR.sub("", self.text)
        digits = self._pick(_NUMBER.findall(text))
        if digits is not None:
            return int(digits) if len(digits) <= _MOST_DIGITS else None
        word = self._pick(_WORD.findall(text))
        return None if word is None else _WORDS[word.lower()]

    def choice(self, options: Sequence[str]) -> str | None:
        """The option it names; an option that is part of another one counts only by itself."""
        longest_first = sorted(options, key=len, reverse=True)
        words = "|".join(re.escape(option) for option in longest_first)
        found = re.findall(rf"\b(?:{words})(?=s?\b)", self.text, _ANY_CASE)
        chosen = self._pick(found)
        return None if chosen is None else {o.lower(): o for o in options}[chosen.lower()]

    @property
    def pairs(self) -> frozenset[tuple[int, int]]:
        """All pairs of user numbers, each the lower one first."""
        found = ((int(a), int(b)) for a, b in _PAIR.findall(self.text))
        return frozenset((min(pair), max(pair)) for pair in found)

    def _pick(self, found: Sequence[str]) -> str | None:
        if not found:
            return None
        return found[0] if self.marked else found[-1]
