"""Comm messages: the session has their metadata within their content, clients have it beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rlm_kernel.kernel.message import Content, Message
from rlm_kernel.sandbox import Event

COMM_MESSAGES = frozenset({"comm_open", "comm_msg", "comm_close"})


def for_guest(message: Message) -> Content:
    """The content that the session gets of a client's message of any kind."""
    if message.kind not in COMM_MESSAGES:
        return message.content
    return {**message.content, "metadata": dict(message.metadata)}


def for_clients(event: Event) -> tuple[Content, Mapping[str, Any]]:
    """The content and the metadata of the message that an event of any kind becomes."""
    if event.kind not in COMM_MESSAGES:
        return event.content, {}
    content = dict(event.content)
    return content, content.pop("metadata")
