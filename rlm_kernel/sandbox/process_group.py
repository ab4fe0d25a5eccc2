"""The process group of a session: what its processes start of themselves ends with them."""

from __future__ import annotations

import contextlib
import os
import signal


class ProcessGroup:
    """Counts the processes of a group that the owner knows; after the last one nobody is left.

    A session and its copies are of one group, which a sealed process cannot leave.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._members = 0

    def join(self) -> None:
        self._members += 1

    def leave(self) -> None:
        self._members -= 1
        if self._members == 0 and self._number > 1:  # those below mean other groups to the system
            # At once: until numbers of processes have gone round, this one is not another's.
            with contextlib.suppress(OSError):
                os.killpg(self._number, signal.SIGKILL)
