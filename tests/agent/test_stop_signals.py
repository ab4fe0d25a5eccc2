"""Ctrl-C and SIGTERM, in this process."""

from __future__ import annotations

import asyncio
import signal

import pytest

from rlm_kernel.agent.stop_signals import StopSignals

BOTH = pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"]
)


@BOTH
def test_plain_code_is_interrupted_once_and_what_follows_is_left_in_peace(
    number: signal.Signals, status: int
) -> None:
    with StopSignals() as signals:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
    assert signals.exit_status == status


@BOTH
def test_a_coroutine_is_cancelled_and_may_clean_up_undisturbed(
    number: signal.Signals, status: int
) -> None:
    cleaned_up = False

    async def work() -> None:
        nonlocal cleaned_up
        try:
            signal.raise_signal(number)
            await asyncio.Event().wait()
        finally:
            signal.raise_signal(signal.SIGINT)
            await asyncio.sleep(0)
            cleaned_up = True

    with StopSignals() as signals, pytest.raises(KeyboardInterrupt):
        signals.run(work())
    assert cleaned_up
    assert signals.exit_status == status


def test_without_a_signal_the_result_comes_through_and_the_handlers_are_put_back() -> None:
    async def work() -> int:
        return 5

    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with StopSignals() as signals:
        assert signals.run(work()) == 5
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
