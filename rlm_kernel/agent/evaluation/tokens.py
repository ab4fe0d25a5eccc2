"""How long a text is in tokens, by an estimate that needs no tokenizer and is the same everywhere.

A digit is a token, and so are four characters of any other sort. Models split text in their own
ways, so that a context is somewhat longer or shorter for them: docs/evaluation.md has measured
shares.
"""

from __future__ import annotations

import re

from rlm_kernel.errors import ConfigurationError

QUARTERS = 4
MIN_LENGTH = 512
MAX_LENGTH = 1 << 20
_LENGTH = re.compile(r"(\d+)([km]?)", re.IGNORECASE)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20}


def estimate_tokens(text: str) -> int:
    """The length of `text` in tokens, rounded up."""
    return -(-quarter_tokens(text) // QUARTERS)


def quarter_tokens(text: str) -> int:
    """The length of `text` in quarters of a token: those of texts add up to that of their sum."""
    return len(text) + (QUARTERS - 1) * sum(text.count(digit) for digit in "0123456789")


def cut_to(text: str, tokens: int) -> str:
    """The longest beginning of `text` that is not longer than `tokens`."""
    low, high = 0, min(len(text), max(0, tokens) * QUARTERS)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (
            (middle, high) if estimate_tokens(text[:middle]) <= tokens else (low, middle - 1)
        )
    return text[:low]


def parse_length(text: str) -> int:
    """The tokens that `8192`, `8k` or `1m` says; a k is 1,024. Raises ConfigurationError."""
    match = _LENGTH.fullmatch(text.strip())
    tokens = int(match[1]) * _UNITS[match[2].lower()] if match else 0
    if not MIN_LENGTH <= tokens <= MAX_LENGTH:
        raise ConfigurationError(
            f"a length is between {MIN_LENGTH:,} and {MAX_LENGTH:,} tokens, as in 8192, 8k or 1m: "
            f"{text!r} is not"
        )
    return tokens


def show_length(tokens: int) -> str:
    """As `parse_length` reads it, in the largest unit that fits: `8k`, `1m`, `1500`."""
    for unit, size in (("m", 1 << 20), ("k", 1 << 10)):
        if tokens % size == 0:
            return f"{tokens // size}{unit}"
    return str(tokens)
