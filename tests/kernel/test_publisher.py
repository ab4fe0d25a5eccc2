"""What everyone is told, whatever becomes of it."""

from __future__ import annotations

import logging

import pytest

from rlm_kernel.kernel.message import Message, Mint
from rlm_kernel.kernel.publisher import Publisher


class Broken:
    def publish(self, message: Message) -> None:
        raise RecursionError

    def drain(self) -> None: ...


class Working(Broken):
    def __init__(self) -> None:
        self.got: list[str] = []

    def publish(self, message: Message) -> None:
        self.got.append(message.kind)


def test_a_sink_that_fails_again_and_again_is_complained_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    publisher, working = Publisher(Mint()), Working()
    publisher.attach(Broken())
    publisher.attach(working)
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            publisher.publish("clear_output", {}, None)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert working.got == ["clear_output"] * 3
