"""Values that must be in no record, and how they are taken out of one."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

MASK = "[secret]"
TOO_DEEP = "[nested too deeply]"
SHORTEST = 8
"""Shorter values are words that occur by chance: `test`, `1`, `false`."""

_DEEPEST = 100
"""Levels of lists and dicts: what code shows may have more than any reader of a record takes."""

_SECRET_NAME = re.compile(
    r"(?:^|_)(?:KEYS?|TOKENS?|SECRETS?|CREDENTIALS?|PASSPHRASE|PAT|DSN)(?:_|$)|APIKEY|PASSWORD|PASSWD|SECRET",
    re.IGNORECASE,
)
_IN_ADDRESS = re.compile(r"://[^/\s:@]*:([^/\s@]+)@")


def secrets_of_environment(environment: Mapping[str, str] | None = None) -> frozenset[str]:
    """The values of the variables whose names speak of secrets, and passwords within addresses.

    `environment` is this process's own by default.
    """
    variables = os.environ if environment is None else environment
    found = {value for name, value in variables.items() if _SECRET_NAME.search(name)}
    for value in variables.values():
        found.update(_IN_ADDRESS.findall(value))
    return frozenset(value for value in found if len(value) >= SHORTEST)


class Scrubber:
    """Takes secrets out of text and data: in the place of each stands `[secret]`.

    It knows values, not what a secret looks like. Values shorter than 8 characters are ignored.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self.add(*secrets)

    def add(self, *secrets: str) -> None:
        """Learn more values. What was scrubbed before stays as it is."""
        self._secrets.update(each for each in secrets if len(each) >= SHORTEST)
        longest_first = sorted(self._secrets, key=len, reverse=True)
        if longest_first:
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    @property
    def longest(self) -> int:
        """The length of the longest value."""
        return max(map(len, self._secrets), default=0)

    def text(self, text: str) -> str:
        """`text` without secrets."""
        return text if self._pattern is None else self._pattern.sub(MASK, text)

    def beginning(self, text: str, length: int) -> str:
        """The first `length` characters of `text` without secrets, or some fewer.

        What is cut off never leaves a part of a secret behind.
        """
        clean = self.text(text[: length + self.longest])
        if len(text) > length + self.longest:
            clean = clean[: len(clean) - self.longest]
        return self._without_begun(clean[:length])

    def _without_begun(self, text: str) -> str:
        """A text without the beginning of a secret at its end."""
        begun = (
            length
            for length in range(self.longest - 1, 0, -1)
            if any(text.endswith(secret[:length]) for secret in self._secrets)
        )
        return text[: len(text) - next(begun, 0)]

    def data(self, data: bytes) -> bytes:
        """Bytes without secrets."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            data = data.replace(secret.encode(), MASK.encode())
        return data

    def value(self, value: Any, levels: int = _DEEPEST) -> Any:
        """What JSON can hold, without secrets, in keys too, and down to so many levels."""
        if isinstance(value, str):
            return self.text(value)
        if not isinstance(value, Mapping | list | tuple):
            return value
        if levels == 0:
            return TOO_DEEP
        if isinstance(value, list | tuple):
            return [self.value(item, levels - 1) for item in value]
        data = _packed_bytes(value)
        if data is not None:
            return {**value, "base64": base64.b64encode(self.data(data)).decode()}
        return {self.text(str(key)): self.value(item, levels - 1) for key, item in value.items()}


def _packed_bytes(value: Mapping[str, Any]) -> bytes | None:
    """The bytes that `rlm_kernel.guest.values` has made this of; None for all else."""
    if value.get("$type") != "bytes" or not isinstance(value.get("base64"), str):
        return None
    try:
        return base64.b64decode(value["base64"])
    except ValueError:  # a dict of somebody's own that looks alike
        return None
