"""Tokens that are none: how often an address has shown one of late."""

from __future__ import annotations

import logging
import math
import time
from collections import OrderedDict

from rlm_kernel.errors import TooManyTries

TRIES, SECONDS = 60, 60.0
REMEMBERED = 4096
"""Addresses. Who has many of them is not slowed down by this."""

_log = logging.getLogger(__name__)


class FailedTries:
    """Tells an address that fails too often to wait.

    It is told so instead of being told that its token is none. The right token opens at any time:
    others may have the same address, behind a proxy, and one of them must not lock out the rest.
    So this keeps the log short and clients that were set up wrongly at bay. What keeps a token from
    being guessed is its length.
    """

    def __init__(self) -> None:
        self._failed: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def note(self, address: str) -> None:
        """Counts a failure. Raises TooManyTries where there were too many within a minute."""
        now = time.monotonic()
        began, count = self._failed.pop(address, (now, 0))
        if now - began >= SECONDS:
            began, count = now, 0
        self._failed[address] = began, count + 1
        if len(self._failed) > REMEMBERED:
            self._failed.popitem(last=False)
        if count == TRIES:
            _log.warning("too many requests without the token", extra={"peer": address})
        if count >= TRIES:
            wait = max(1, math.ceil(began + SECONDS - now))
            raise TooManyTries(f"more than {TRIES} tries within a minute failed", wait)
