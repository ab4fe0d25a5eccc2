"""A Jupyter client for tests: jupyter_client's own, with what belongs to one request gathered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, cast

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.connect import KernelConnectionInfo

PATIENCE = 60.0

Wire = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request's reply, and what was published on its behalf between busy and idle."""

    reply: Wire
    published: list[Wire]

    @property
    def content(self) -> dict[str, Any]:
        content: dict[str, Any] = self.reply["content"]
        return content

    def kinds(self) -> list[str]:
        return [message["msg_type"] for message in self.published]

    def contents(self, kind: str) -> list[dict[str, Any]]:
        return [m["content"] for m in self.published if m["msg_type"] == kind]

    def text(self, stream: str = "stdout") -> str:
        return "".join(c["text"] for c in self.contents("stream") if c["name"] == stream)


class Peer:
    """One client, subscribed by the time it is made.

    It has no heart: jupyter_client's spins for ever when it is stopped right after its start.
    """

    def __init__(self, connection: Mapping[str, Any], *, stdin: bool = True) -> None:
        self.client = BlockingKernelClient()
        self.client.load_connection_info(cast(KernelConnectionInfo, dict(connection)))
        self.client.start_channels(hb=False, stdin=stdin)
        self.welcome = self.next_published()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.client.stop_channels()

    @property
    def session_id(self) -> str:
        return str(self.client.session.session)

    def send(
        self,
        kind: str,
        content: Mapping[str, Any] | None = None,
        channel: str = "shell",
        metadata: Mapping[str, Any] | None = None,
    ) -> str:
        """Sends a message and gives its id."""
        message = self.client.session.msg(kind, dict(content or {}), metadata=metadata)
        getattr(self.client, f"{channel}_channel").send(message)
        return str(message["header"]["msg_id"])

    def next_published(self) -> Wire:
        message: Wire = self.client.get_iopub_msg(timeout=PATIENCE)
        return message

    def next_question(self) -> Wire:
        message: Wire = self.client.get_stdin_msg(timeout=PATIENCE)
        return message

    def next_reply(self, channel: str = "shell") -> Wire:
        message: Wire = getattr(self.client, f"get_{channel}_msg")(timeout=PATIENCE)
        return message

    def reply(self, message_id: str, channel: str = "shell") -> Wire:
        """The reply to a message, which must be the next one of its channel."""
        message = self.next_reply(channel)
        assert message["parent_header"]["msg_id"] == message_id
        return message

    def published(self, message_id: str) -> list[Wire]:
        """What is published for a message of this client until it is idle again."""
        messages: list[Wire] = []
        while not messages or messages[-1]["content"].get("execution_state") != "idle":
            message = self.next_published()
            parent = message["parent_header"]
            if (parent.get("msg_id"), parent.get("session")) == (message_id, self.session_id):
                messages.append(message)
        return messages

    def until_published(self, wanted: Callable[[Wire], bool]) -> Wire:
        """The next published message that is wanted."""
        while not wanted(message := self.next_published()):
            continue
        return message

    def finish(self, message_id: str, channel: str = "shell") -> Exchange:
        """The reply to a message, and what was published for it."""
        return Exchange(self.reply(message_id, channel), self.published(message_id))

    def ask(
        self, kind: str, content: Mapping[str, Any] | None = None, channel: str = "shell"
    ) -> Exchange:
        return self.finish(self.send(kind, content, channel), channel)

    def start(self, code: str, *, metadata: Mapping[str, Any] | None = None, **content: Any) -> str:
        """Sends code to be executed and gives the message's id."""
        return self.send("execute_request", {"code": code, **content}, metadata=metadata)

    def execute(self, code: str, **content: Any) -> Exchange:
        return self.finish(self.start(code, **content))

    def await_text(self, text: str) -> None:
        """Waits until running code has printed this text."""
        seen = ""
        while text not in seen:
            seen += self.until_published(lambda m: bool(m["msg_type"] == "stream"))["content"][
                "text"
            ]
