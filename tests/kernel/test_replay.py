"""What is kept for those who attach later."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from rlm_kernel.kernel import Kernel
from rlm_kernel.kernel.message import Message, Mint
from rlm_kernel.kernel.replay import Replay
from tests.kernel.recording import RecordingSession


def messages(*texts: str) -> list[Message]:
    mint = Mint()
    return [mint.message("stream", {"name": "stdout", "text": text}) for text in texts]


def test_the_latest_messages_are_kept_in_their_order() -> None:
    replay, published = Replay(limit=10_000), messages(*"x" * 100)
    for message in published:
        replay.publish(message)
    kept = len(replay.messages)
    assert 1 < kept < 100
    assert list(replay.messages) == published[-kept:]
    assert replay.dropped == 100 - kept


def test_a_message_larger_than_all_that_is_kept_leaves_nothing() -> None:
    replay = Replay(limit=10_000)
    for message in messages("a", "b" * 20_000):
        replay.publish(message)
    assert (replay.messages, replay.dropped) == ((), 2)


def test_binary_buffers_count_and_are_given_in_base64() -> None:
    replay, mint = Replay(limit=10_000), Mint()
    replay.publish(mint.message("comm_msg", {"comm_id": "c", "data": {}}, buffers=[b"abc"]))
    [message] = json.loads(replay.as_json())["messages"]
    assert message["buffers"] == ["YWJj"]
    replay.publish(mint.message("comm_msg", {"comm_id": "c", "data": {}}, buffers=[bytes(9999)]))
    assert replay.messages == ()


def test_a_kernel_keeps_what_it_publishes_where_it_may() -> None:
    async def published(replay_bytes: int) -> list[str]:
        kernel = Kernel(RecordingSession(), replay_bytes=replay_bytes)
        await kernel.execute("1")
        await kernel.close()
        return [message.kind for message in kernel.replay.messages]

    assert asyncio.run(published(1 << 20)) == ["status", "status", "shutdown_reply"]
    assert asyncio.run(published(0)) == []


def test_a_copy_holds_the_same_and_goes_its_own_way() -> None:
    replay = Replay(limit=10_000)
    first, second, third = messages("a", "b" * 7000, "c")
    replay.publish(first)
    copy = replay.copy()
    replay.publish(second)
    copy.publish(third)
    assert (replay.messages, copy.messages) == ((first, second), (first, third))
    copy.publish(second)
    copy.publish(second)
    assert (copy.dropped, replay.dropped) == (3, 0)


def test_what_is_nested_too_deeply_is_dropped_and_the_rest_is_kept() -> None:
    replay, mint = Replay(), Mint()
    nested: list[Any] = []
    for _ in range(5000):
        nested = [nested]
    replay.publish(mint.message("display_data", {"data": {"application/json": nested}}))
    [after] = messages("after")
    replay.publish(after)
    assert (replay.messages, replay.dropped) == ((after,), 1)


def test_what_takes_much_memory_once_it_is_unpacked_counts_for_more() -> None:
    replay, mint = Replay(limit=100_000), Mint()
    replay.publish(mint.message("display_data", {"data": {"application/json": [[]] * 10_000}}))
    assert (replay.messages, replay.dropped) == ((), 1)


def test_json_has_all_that_a_message_has() -> None:
    replay, mint = Replay(), Mint()
    parent = mint.header("comm_msg")
    content = {"comm_id": "é", "data": {"x": [1.5, None]}}
    message = mint.message("comm_msg", content, parent, metadata={"m": 1}, buffers=[b"ab"])
    replay.publish(message)
    replay.publish(message)
    kept = {
        "header": message.header,
        "parent_header": parent,
        "metadata": {"m": 1},
        "content": content,
        "buffers": ["YWI="],
    }
    assert json.loads(replay.as_json()) == {"dropped": 0, "messages": [kept, kept]}
