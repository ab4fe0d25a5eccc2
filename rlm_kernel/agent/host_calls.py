"""Host calls that are told of: what a session's code was given is an event."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rlm_kernel.agent.environment import HostCallFailedError, OnHostCall
from rlm_kernel.agent.events import Event, HostCallAnswered


@dataclass(frozen=True, slots=True)
class AnnouncedCalls:
    """An `OnHostCall` that passes each call on to `calls`, and emits what came of it."""

    run: str
    emit: Callable[[Event], None]
    calls: OnHostCall

    async def __call__(self, name: str, args: dict[str, Any]) -> Any:
        """The value of the call. Raises HostCallFailedError."""
        try:
            value = await self.calls(name, args)
        except HostCallFailedError as failure:
            self.emit(HostCallAnswered(self.run, name, args, None, failure.as_dict()))
            raise
        self.emit(HostCallAnswered(self.run, name, args, value))
        return value
