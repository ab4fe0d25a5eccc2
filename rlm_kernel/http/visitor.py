"""Who was let in, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rlm_kernel.errors import Forbidden

Role = Literal["owner", "attached", "anyone"]


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody whom the door admitted.

    The `owner` may do everything. Who is `attached` looks and runs: reads all there is to read,
    executes, interrupts, restarts, and moves files in and out of sessions, all of which code that
    runs in a session could do to it as well; creates and forks none and ends none, so that a
    request to delete one only detaches. `anyone` has shown nothing, and sees what is open to all.
    """

    role: Role

    @property
    def is_owner(self) -> bool:
        return self.role == "owner"

    def must_own(self, deed: str) -> None:
        """Raise Forbidden unless it is the owner; `deed` is what was asked for."""
        if not self.is_owner:
            raise Forbidden(f"{deed} takes the owner's token; this one attaches to what is there")
