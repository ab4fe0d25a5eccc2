"""A program that means harm, and what must become of it."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent

ORDINARY_SECONDS = 30.0
"""For programs that end by themselves: far more than they need, also on a slow machine."""

ENDLESS_SECONDS = 1.0
"""For programs that have to be ended."""


@dataclass(frozen=True, slots=True)
class Program:
    """`expected` are the outcomes that are as they should be, with `|` between them:

    `ok` (it came to its end, and all that it asserts holds), the class of the exception that ended
    it, `interrupted` (its time was over, and an interrupt ended it or came too late to matter), or
    `killed` (the session's process had to end, or ended by itself, and was replaced), or `any` of
    these, and of all exceptions.
    `heavy` ones take seconds, or much memory.
    """

    name: str
    expected: str
    code: str
    seconds: float = ORDINARY_SECONDS
    heavy: bool = False

    @property
    def outcomes(self) -> set[str]:
        return {outcome.strip() for outcome in self.expected.split("|")}


def program(name: str, expected: str, code: str) -> Program:
    """One that ends soon by itself."""
    return Program(name, expected, dedent(code))


def heavy(name: str, expected: str, code: str) -> Program:
    """One that ends by itself after much work."""
    return Program(name, expected, dedent(code), heavy=True)


def endless(name: str, expected: str, code: str, seconds: float = ENDLESS_SECONDS) -> Program:
    """One that has to be ended, or at least not to be waited for."""
    return Program(name, expected, dedent(code), seconds, heavy=True)
