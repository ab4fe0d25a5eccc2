"""Messages as the frames that go over ZMQ: identities, a delimiter, a signature, and their parts.

The format is jupyter_client's; see "The Wire Protocol" in its documentation of messaging.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from rlm_kernel.errors import ConfigurationError
from rlm_kernel.kernel.message import PROTOCOL_VERSION, Message
from rlm_kernel.kernel.packing import pack, unpack

DELIMITER = b"<IDS|MSG>"
PARTS = ("header", "parent_header", "metadata", "content")
SCHEME_PREFIX = "hmac-"
REMEMBERED_SIGNATURES = 1 << 16
"""As many as jupyter_client remembers: a message that comes once more is dropped."""

MAJOR_VERSION = PROTOCOL_VERSION.partition(".")[0]
NOTHING = pack({})


class SignedFrames:
    """Encodes and decodes the messages of one connection. Without a key nothing is signed.

    Raises ConfigurationError for a scheme that this Python does not know.
    """

    def __init__(self, key: bytes, scheme: str) -> None:
        self._key = key
        self._digest = scheme.partition(SCHEME_PREFIX)[2]
        try:
            hmac.digest(key, b"", self._digest)
        except (ValueError, TypeError) as error:
            raise ConfigurationError(f"cannot sign messages by {scheme!r}: {error}") from error
        self._seen: OrderedDict[bytes, None] = OrderedDict()
        self._parent: Mapping[str, Any] = {}
        self._packed_parent = NOTHING

    def encode(self, message: Message, identities: Sequence[bytes]) -> list[bytes]:
        parts = (
            pack(message.header),
            self._pack_parent(message.parent_header),
            pack(message.metadata) if message.metadata else NOTHING,
            pack(message.content),
        )
        return [*identities, DELIMITER, self._sign(parts), *parts, *message.buffers]

    def decode(self, frames: Sequence[bytes]) -> tuple[tuple[bytes, ...], Message]:
        """The sender's identities and the message. Raises ValueError, or RecursionError."""
        start = frames.index(DELIMITER)
        signature, *parts = frames[start + 1 : start + 2 + len(PARTS)] or (b"",)
        if len(parts) < len(PARTS):
            raise ValueError(f"a message has {len(PARTS)} parts, not {len(parts)}")
        self._check(signature, parts)
        message: dict[str, Any] = dict(zip(PARTS, map(unpack, parts), strict=True))
        message["buffers"] = frames[start + 2 + len(PARTS) :]
        return tuple(frames[:start]), Message.from_wire(_adapted(message))

    def _check(self, signature: bytes, parts: Sequence[bytes]) -> None:
        if not self._key:
            return
        if not hmac.compare_digest(signature, self._sign(parts)):
            raise ValueError("Invalid Signature")
        if signature in self._seen:
            raise ValueError("Duplicate Signature")
        self._seen[signature] = None
        if len(self._seen) > REMEMBERED_SIGNATURES:
            self._seen.popitem(last=False)

    def _sign(self, parts: Sequence[bytes]) -> bytes:
        if not self._key:
            return b""
        return hmac.digest(self._key, b"".join(parts), self._digest).hex().encode()

    def _pack_parent(self, parent: Mapping[str, Any]) -> bytes:
        """Packs the header that most messages in a row have for their parent once for all."""
        if parent is not self._parent:
            self._parent, self._packed_parent = parent, pack(parent)
        return self._packed_parent


def _adapted(message: dict[str, Any]) -> dict[str, Any]:
    """The message in the form of our version of the protocol."""
    header = message["header"]
    if not isinstance(header, dict) or not isinstance(header.get("msg_type"), str):
        raise ValueError("the header has no type of message")
    version = header.get("version")
    if isinstance(version, str) and version.partition(".")[0] == MAJOR_VERSION:
        return message
    # Here, as few clients are so old: to import all of this delays a kernel's start.
    from jupyter_client.adapter import adapt

    adapted: dict[str, Any] = adapt({**message, "msg_type": header["msg_type"]})
    return adapted
