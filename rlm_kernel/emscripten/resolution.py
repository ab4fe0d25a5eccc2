"""How finely the guest sees time: no finer than programs need, in clocks as in files."""

from __future__ import annotations

import time

RESOLUTION_NS = 1000


def coarse(nanoseconds: int) -> int:
    """A moment in nanoseconds, rounded down to what the guest may see of it."""
    return nanoseconds - nanoseconds % RESOLUTION_NS


def wall_clock_ns() -> int:
    """Nanoseconds since the epoch, as the guest sees them."""
    return coarse(time.time_ns())
