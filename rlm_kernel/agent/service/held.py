"""How many bytes of requests the service holds in its memory."""

from __future__ import annotations

from rlm_kernel.errors import TooManyRuns

_RETRY_SECONDS = 5
_SMALL = 1 << 20


class HeldBytes:
    """Counts what all requests hold, within a limit.

    One that holds no more than a mebibyte is always taken: what the others sent must not keep it
    out.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._by_holder: dict[object, int] = {}
        self.total = 0

    def grow(self, holder: object, size: int) -> None:
        """`holder` takes so much more. Raises TooManyRuns."""
        held = self._by_holder.get(holder, 0) + size
        if held > _SMALL and self.total + size > self._limit:
            raise TooManyRuns(
                f"requests hold {self.total} bytes already, and may hold {self._limit}",
                _RETRY_SECONDS,
            )
        self._by_holder[holder] = held
        self.total += size

    def release(self, holder: object) -> None:
        """Idempotent."""
        self.total -= self._by_holder.pop(holder, 0)
