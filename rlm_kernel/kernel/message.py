"""One message of the Jupyter protocol, and the mint that makes a kernel's own."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, Literal, Self

Channel = Literal["shell", "control", "stdin", "iopub"]
Content = dict[str, Any]
Header = Mapping[str, Any]

PROTOCOL_VERSION = "5.4"
USERNAME = "kernel"


@dataclass(frozen=True, slots=True)
class Message:
    """A message as both transports and the core see it: decoded, checked and unsigned."""

    header: Header
    content: Content
    parent_header: Header = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    buffers: tuple[bytes, ...] = ()

    @classmethod
    def from_wire(cls, parts: Mapping[str, Any]) -> Self:
        """The message of a decoded one, whose shape its sender alone has vouched for.

        Raises ValueError that says what is wrong with it.
        """
        for name in ("header", "parent_header", "metadata", "content"):
            if not isinstance(parts.get(name), dict):
                raise ValueError(f"{name} is not an object")
        for name in ("msg_id", "msg_type"):
            if not isinstance(parts["header"].get(name), str):
                raise ValueError(f"{name} is not a string")
        return cls(
            header=parts["header"],
            content=parts["content"],
            parent_header=parts["parent_header"],
            metadata=parts["metadata"],
            buffers=tuple(bytes(buffer) for buffer in parts.get("buffers", ())),
        )

    @property
    def kind(self) -> str:
        """The message's type, such as `execute_request`."""
        return str(self.header["msg_type"])

    @property
    def id(self) -> str:
        return str(self.header["msg_id"])


class Mint:
    """Makes the messages that one kernel sends. Their ids are unique, their session is one."""

    def __init__(self) -> None:
        self.session_id = uuid.uuid4().hex
        self._numbers = count(1)

    def header(self, kind: str, username: str = USERNAME) -> dict[str, Any]:
        return {
            "msg_id": f"{self.session_id}_{next(self._numbers)}",
            "msg_type": kind,
            "username": username,
            "session": self.session_id,
            "date": now(),
            "version": PROTOCOL_VERSION,
        }

    def message(
        self,
        kind: str,
        content: Content,
        parent: Header | None = None,
        *,
        metadata: Mapping[str, Any] | None = None,
        buffers: Sequence[bytes] = (),
    ) -> Message:
        """A message of the given kind that answers, or was caused by, the message of `parent`."""
        return Message(
            header=self.header(kind),
            content=content,
            parent_header={} if parent is None else parent,
            metadata={} if metadata is None else metadata,
            buffers=tuple(buffers),
        )


def now() -> str:
    """ISO 8601 in UTC, with the suffix that clients look for."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
