"""The channels of a session's kernel from a client's end, whatever carries them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, Protocol

Message = dict[str, Any]
Channel = Literal["shell", "iopub", "stdin", "control"]
Deliver = Callable[[Channel, Message], None]
Lost = Callable[[BaseException], None]

AUTHOR = "agent"
"""By which those who watch the session see whose cells they are."""


class ConnectionLostError(Exception):
    """The kernel's channels are gone: its session ended, or the manager did."""


class Channels(Protocol):
    """Open channels to one kernel."""

    def listen(self, deliver: Deliver, lost: Lost) -> None:
        """Have each message delivered, what the kernel publishes among them. Called once.

        `lost` gets why none will come any more, and may get it more than once.
        """

    def send(
        self,
        channel: Channel,
        kind: str,
        content: Mapping[str, Any],
        metadata: Mapping[str, Any] | None = None,
    ) -> str:
        """Send a request; returns its id, which its answers have in their parent header."""

    async def close(self) -> None:
        """Disconnect; the kernel lives on. Idempotent."""


async def cancelled(tasks: Iterable[asyncio.Task[None]]) -> None:
    """End tasks, and wait until they have."""
    ended = list(tasks)
    for task in ended:
        task.cancel()
    await asyncio.gather(*ended, return_exceptions=True)
