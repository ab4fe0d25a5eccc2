"""What the session has within a content, and clients beside it: headers, and comms' metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rlm_kernel.guest.budget import COMM_MESSAGES
from rlm_kernel.kernel.message import Content, Message
from rlm_kernel.sandbox import Event


def for_guest(message: Message, content: Content) -> Content:
    """The content that the session gets of a client's message."""
    header = {name: value for name, value in message.header.items() if isinstance(value, str)}
    told = {**content, "header": header}
    return {**told, "metadata": dict(message.metadata)} if message.kind in COMM_MESSAGES else told


def for_clients(event: Event) -> tuple[Content, Mapping[str, Any]]:
    """The content and the metadata of the message that an event becomes."""
    if event.kind not in COMM_MESSAGES:
        return event.content, {}
    content = dict(event.content)
    return content, content.pop("metadata")
