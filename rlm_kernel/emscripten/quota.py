"""The room that the guest's files may take."""

from __future__ import annotations

from rlm_kernel.emscripten.errno import Errno, SyscallError


class Quota:
    """Bytes: `limit` in all, of which `left` are free."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.left = limit

    def take(self, amount: int) -> None:
        """ENOSPC, and nothing taken, where less than `amount` is left."""
        if amount > self.left:
            raise SyscallError(Errno.ENOSPC)
        self.left -= amount

    def give_back(self, amount: int) -> None:
        self.left += amount
