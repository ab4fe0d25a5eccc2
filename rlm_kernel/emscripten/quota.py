"""The room that the guest's files may take."""

from __future__ import annotations

from rlm_kernel.emscripten.errno import Errno, SyscallError


class Quota:
    """Bytes, `limit` in all, of which `left` are free, and files with a name: at most `files`.

    Directories and links count as files.
    """

    def __init__(self, limit: int = 1 << 30, files: int = 1 << 20) -> None:
        self.limit = limit
        self.left = limit
        self.files = files
        self.files_left = files

    def allow(self, amount: int, files: int) -> None:
        """Has so much be free from now on, whatever was taken before."""
        self.limit += amount - self.left
        self.files += files - self.files_left
        self.left, self.files_left = amount, files

    def take(self, amount: int) -> None:
        """ENOSPC, and nothing taken, where less than `amount` is left."""
        if amount > self.left:
            raise SyscallError(Errno.ENOSPC)
        self.left -= amount

    def give_back(self, amount: int) -> None:
        self.left += amount

    def take_file(self, amount: int) -> None:
        """As `take`, for a file that gets a name and `amount` bytes that go with it."""
        if self.files_left < 1:
            raise SyscallError(Errno.ENOSPC)
        self.take(amount)
        self.files_left -= 1

    def give_file_back(self, amount: int) -> None:
        self.give_back(amount)
        self.files_left += 1
