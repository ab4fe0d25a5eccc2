"""Where managers are, from one moment to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class Addresses(Protocol):
    """The base URLs of managers, each of which is a manager for as long as it lives."""

    async def now(self) -> Sequence[str]:
        """Those there are now. Raises ManagerUnavailable where that cannot be told."""


@dataclass(frozen=True, slots=True)
class FixedAddresses:
    """Managers that are listed once and for all."""

    urls: tuple[str, ...]

    async def now(self) -> Sequence[str]:
        return self.urls
