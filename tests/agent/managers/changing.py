"""Addresses that a test changes."""

from __future__ import annotations

from collections.abc import Sequence

from tests.manager.process import ManagerProcess


class ChangingAddresses:
    def __init__(self, *managers: ManagerProcess | str) -> None:
        self.urls = [one if isinstance(one, str) else one.url for one in managers]

    async def now(self) -> Sequence[str]:
        return list(self.urls)
