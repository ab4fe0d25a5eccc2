"""Stand-ins that only remember what they were told."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rlm_kernel.kernel.message import Channel, Content, Message
from rlm_kernel.sandbox import Event, Reply


class RecordingClient:
    """A client that takes everything."""

    def __init__(self) -> None:
        self.sent: list[tuple[Channel, Message]] = []

    def send(self, channel: Channel, message: Message) -> bool:
        self.sent.append((channel, message))
        return True


class RecordingSession:
    """A session whose every cell is fine at once."""

    def __init__(self) -> None:
        self.on_event: Callable[[Event], None] | None = None
        self.requests: list[tuple[str, Content]] = []
        self.answers: list[str] = []
        self.answered: list[object] = []
        self.refusals: list[dict[str, str]] = []
        self.interrupts = 0
        self.restarts = 0
        self.closed = False
        self.pid: int | None = None

    async def request(
        self,
        kind: str,
        content: Content,
        *,
        request_id: str,
        timeout: float | None = None,
        buffers: Sequence[bytes] = (),
    ) -> Reply:
        self.requests.append((kind, content))
        return Reply({"status": "ok", "execution_count": len(self.requests)})

    def interrupt(self, request_id: str | None = None) -> None:
        self.interrupts += 1

    def answer_input(self, value: str, question: object = None) -> None:
        self.answers.append(value)
        self.answered.append(question)

    def refuse_input(self, error: dict[str, str], question: object = None) -> None:
        self.refusals.append(error)

    async def restart(self) -> None:
        self.restarts += 1

    async def close(self) -> None:
        self.closed = True
