"""The devices that every guest has."""

from __future__ import annotations

import os

import pytest

from rlm_kernel.emscripten import Errno, NullDriver, OutputDriver, RandomDriver
from tests.emscripten.failing import fails


def test_null_takes_everything_and_gives_nothing() -> None:
    null = NullDriver()
    assert (null.write(b"abc"), null.read(10), null.poll(None)) == (3, b"", True)


def test_randomness_differs_each_time_and_has_the_length_asked_for() -> None:
    random = RandomDriver()
    assert len(random.read(1000)) == 1000
    assert random.read(32) != random.read(32)


def test_output_reaches_the_descriptor_and_cannot_be_read() -> None:
    receiving, sending = os.pipe()
    try:
        output = OutputDriver(sending)
        assert output.write(b"hello") == 5
        assert os.read(receiving, 100) == b"hello"
        with fails(Errno.EBADF):
            output.read(1)
    finally:
        os.close(receiving)
        os.close(sending)


def test_output_to_a_closed_descriptor_is_an_error_of_the_guest() -> None:
    receiving, sending = os.pipe()
    os.close(receiving)
    try:
        with fails(Errno.EIO):
            OutputDriver(sending).write(b"hello")
    finally:
        os.close(sending)


@pytest.mark.parametrize("driver", [NullDriver(), RandomDriver(), OutputDriver(2)])
def test_no_device_is_a_terminal(driver: NullDriver) -> None:
    with fails(Errno.ENOTTY):
        driver.control(0x5413, 0)
