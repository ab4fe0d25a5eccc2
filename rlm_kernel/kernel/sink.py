"""The seams of the core: whom it tells everything, whom it answers, and what runs the code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from rlm_kernel.kernel.message import Channel, Content, Message
from rlm_kernel.sandbox import Event, Reply


class Sink(Protocol):
    """Takes what the kernel publishes, on behalf of everyone attached through one transport."""

    def publish(self, message: Message) -> None:
        """Called for every iopub message, in order; must not block or raise."""

    def drain(self) -> None:
        """Called before queued requests are aborted: hand over those that have arrived."""


class Client(Protocol):
    """One peer. Two clients are equal when what one asks may be answered to the other."""

    def send(self, channel: Channel, message: Message) -> bool:
        """Sends a reply or a question; False when it is certain that nobody will get it."""


class GuestSession(Protocol):
    """What a kernel needs of a `rlm_kernel.sandbox.Session`."""

    on_event: Callable[[Event], None] | None

    @property
    def pid(self) -> int | None: ...

    async def request(
        self,
        kind: str,
        content: Content,
        *,
        request_id: str,
        timeout: float | None = None,
        buffers: Sequence[bytes] = (),
    ) -> Reply: ...

    def interrupt(self, request_id: str | None = None) -> None: ...

    def answer_input(self, value: str, question: object = None) -> None: ...

    def refuse_input(self, error: dict[str, str], question: object = None) -> None: ...

    async def restart(self) -> None: ...

    async def close(self) -> None: ...
