"""Sessions for child runs: where there is no room for one now, it is waited for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from rlm_kernel.agent.environment import Environment
from rlm_kernel.errors import TryLater

Result = TypeVar("Result")

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class PatientFactory:
    """A `REPLFactory` that tries `open_session` again for `seconds`; see `patiently`."""

    open_session: Callable[[], Awaitable[Environment]]
    seconds: float

    async def open_environment(self) -> Environment:
        """A new session. Raises what `open_session` does, TryLater only in the end."""
        return await patiently(self.open_session, self.seconds)


async def patiently(attempt: Callable[[], Awaitable[Result]], seconds: float) -> Result:
    """What `attempt` gives, which is made again for so long while it raises TryLater.

    A manager says when a session will have to go by itself at the latest; those of other runs end
    sooner. So its word is a limit on the pauses, which grow up to LONGEST_PAUSE_S.
    """
    gives_up_at, pause = time.monotonic() + seconds, FIRST_PAUSE_S
    while True:
        try:
            return await attempt()
        except TryLater as error:
            if time.monotonic() + pause > gives_up_at:
                raise
            await asyncio.sleep(min(pause, error.retry_after or pause))
            pause = min(2 * pause, LONGEST_PAUSE_S)
