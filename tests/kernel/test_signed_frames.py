"""Signed frames, against jupyter_client's own."""

from __future__ import annotations

from typing import Any

import pytest
from jupyter_client.session import Session as Reference

from rlm_kernel.errors import ConfigurationError
from rlm_kernel.kernel.message import Mint
from rlm_kernel.kernel.signed_frames import REMEMBERED_SIGNATURES, SignedFrames

KEY = b"a key"
CONTENT = {"code": "x = 'é'", "silent": False}


def request(reference: Reference, **header: Any) -> list[bytes]:
    message = reference.msg("execute_request", CONTENT)
    message["header"].update(header)
    return reference.serialize(message, [b"one", b"two"])


@pytest.mark.parametrize("scheme", ["hmac-sha256", "hmac-md5", "hmac-sha3_512"])
@pytest.mark.parametrize("key", [KEY, b""])
def test_both_ways_it_is_what_jupyter_client_sends_and_takes(key: bytes, scheme: str) -> None:
    frames, reference = SignedFrames(key, scheme), Reference(key=key, signature_scheme=scheme)
    identities, message = frames.decode([*request(reference), b"buffer"])
    assert (identities, message.content, message.buffers) == (
        (b"one", b"two"),
        CONTENT,
        (b"buffer",),
    )
    sent = Mint().message("execute_reply", {"status": "ok"}, message.header, metadata={"a": 1})
    topic, parts = reference.feed_identities(frames.encode(sent, [b"topic"]))
    received = reference.deserialize(parts)
    assert (topic, received["content"], received["metadata"]) == (
        [b"topic"],
        {"status": "ok"},
        {"a": 1},
    )
    assert received["parent_header"]["msg_id"] == message.id
    assert received["header"]["date"].tzinfo is not None


def test_a_parent_goes_back_word_for_word_and_each_message_has_its_own() -> None:
    frames, reference = SignedFrames(KEY, "hmac-sha256"), Reference(key=KEY)
    mint = Mint()
    for _ in range(2):
        sent = request(reference)
        _, message = frames.decode(sent)
        for kind in ("status", "execute_reply"):
            reply = frames.encode(mint.message(kind, {}, message.header), [])
            _, parent = frames.decode([b"", *reply])
            assert parent.parent_header == message.header
            assert message.header["date"].encode() in sent[4]


def test_a_client_of_an_older_protocol_is_understood() -> None:
    frames, reference = SignedFrames(KEY, "hmac-sha256"), Reference(key=KEY)
    message = reference.msg("complete_request", {"line": "a.b", "text": "b", "cursor_pos": 3})
    del message["header"]["version"]
    _, understood = frames.decode(reference.serialize(message))
    assert understood.content == {"code": "a.b", "cursor_pos": 3}


def test_no_more_than_the_latest_signatures_are_remembered() -> None:
    frames, reference = SignedFrames(KEY, "hmac-sha256"), Reference(key=KEY)
    first = request(reference)
    frames.decode(first)
    frames._seen |= {b"%d" % number: None for number in range(REMEMBERED_SIGNATURES - 1)}
    with pytest.raises(ValueError, match="Duplicate"):
        frames.decode(first)
    frames.decode(request(reference))
    assert len(frames._seen) == REMEMBERED_SIGNATURES
    frames.decode(first)


@pytest.mark.parametrize("scheme", ["sha256", "hmac-", "hmac-nonsense", "hmac-shake_128"])
def test_a_scheme_that_nobody_knows_is_a_configuration_error(scheme: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot sign"):
        SignedFrames(KEY, scheme)
