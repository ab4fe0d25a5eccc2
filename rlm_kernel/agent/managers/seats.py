"""Managers as those who need sessions see them: the seam between the two."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from rlm_kernel.manager.client import ManagerClient

Made = TypeVar("Made")


async def _nothing() -> None:
    """There is nothing to give back."""


@dataclass(frozen=True, slots=True)
class Seat:
    """Room for one session on one manager, at `url`; whoever has it calls `leave` in the end."""

    url: str
    token: str | None = field(default=None, repr=False)
    leave: Callable[[], Awaitable[None]] = field(default=_nothing, repr=False)
    """Gives the room back. Idempotent; never raises ManagerError."""

    def client(self) -> ManagerClient:
        """A client of the manager, which the caller closes."""
        return ManagerClient(self.url, token=self.token)


Begin = Callable[[Seat], Awaitable[Made]]


class Managers(Protocol):
    """One manager, or several of which any will do for a new session.

    A session stays where it was made. All may be used from any thread and any event loop. All
    raise the ManagerError classes.
    """

    async def place(self, begin: Begin[Made]) -> Made:
        """What `begin` makes of a seat on a manager that can take one session more.

        Where a manager turns out not to, `begin` is called again with a seat on another. What it
        returns has the seat; where it raises, the seat is given back.
        """

    async def settle(self, session_id: str, seat: Seat) -> None:
        """Remember where a session is, for those who know its id alone."""

    async def seat_of(self, session_id: str) -> Seat:
        """The seat of a session. Raises SessionNotFound where no manager has it."""

    async def release(self, session_id: str) -> None:
        """Forget a session that is over, and give its seat back. Idempotent."""

    async def ready(self) -> None:
        """Return once a manager has shown that it can run code. Raises NotReady if none can."""

    async def close(self) -> None:
        """Give back every seat that was settled and not released. Idempotent."""
