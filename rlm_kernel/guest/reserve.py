"""Memory that the user's code cannot take, so that its session can say that there is none left."""

from __future__ import annotations

BLOCKS, BLOCK_BYTES = 64, 1 << 17
"""Many blocks of some size: small things that stay must not keep a large one from coming back."""


class Reserve:
    """Holds memory from `fill` on until it is released, which is where an allocation has failed."""

    def __init__(self) -> None:
        self._blocks: list[bytearray] = []

    def fill(self) -> None:
        """Takes what is missing, as far as there is so much."""
        try:
            while len(self._blocks) < BLOCKS:
                self._blocks.append(bytearray(BLOCK_BYTES))
        except MemoryError:
            return

    def release(self) -> None:
        """Gives all of it to the code that runs now; what it does not keep can be taken again."""
        self._blocks.clear()

    def release_for(self, error: BaseException | None) -> None:
        """Gives it away where an error says that there is nothing else."""
        if isinstance(error, MemoryError):
            self.release()

    def release_if_scarce(self) -> None:
        """Gives it away where little else is left."""
        try:
            bytearray(BLOCK_BYTES)
        except MemoryError:
            self.release()
