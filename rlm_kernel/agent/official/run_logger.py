"""The official library's logger, or one like it, told of a run that was recorded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Protocol

from rlm_kernel.agent.trajectory.jsonl import jsonl
from rlm_kernel.agent.trajectory.trajectory import Trajectory


class RunLogger(Protocol):
    """What a logger has to have: the methods of the official library's `RLMLogger`.

    Metadata and iterations are objects whose `to_dict` gives plain data that JSON can hold.
    """

    def log_metadata(self, metadata: Any) -> None:
        """Take what is known of the agent. Called once, when it is made."""

    def log(self, iteration: Any) -> None:
        """Take a turn. Called for each turn of the root run, in order, when the run has ended."""

    def clear_iterations(self) -> None:
        """Forget the turns of the run before. Called before those of the next."""

    def get_trajectory(self) -> dict[str, Any] | None:
        """All of the run; it becomes the `metadata` of the completion."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Plain data as the logger takes it."""

    data: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """The data."""
        return self.data


def log_run(logger: RunLogger, trajectory: Trajectory) -> dict[str, Any] | None:
    """Tell a logger of a run, and return what it makes of it."""
    logger.clear_iterations()
    for line in list(jsonl(trajectory))[1:]:
        logger.log(Entry(json.loads(line)))
    return logger.get_trajectory()
