"""What those who count are told of what sessions and zygotes go through."""

from __future__ import annotations

from rlm_kernel.sandbox.events import State
from rlm_kernel.sandbox.process import Cause


class Observer:
    """Takes note of nothing; whoever counts overrides what it wants to know. Must not raise."""

    def sent(self, size: int) -> None:
        """A session has sent so many bytes of output, displays and other events."""

    def process_ended(self, cause: Cause, state: State) -> None:
        """A session's process ended that was to live on, and this became of the variables."""

    def zygote_booted(self, seconds: float) -> None:
        """A zygote is up, so many seconds after its start."""

    def zygote_died(self) -> None:
        """A zygote was found dead; another is about to take its place."""

    def zygote_succeeded(self) -> None:
        """A fresh zygote has taken over from one that was old."""
