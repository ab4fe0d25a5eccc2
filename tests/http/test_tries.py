"""Tokens that are none: who fails too often is told to wait, and nobody else is."""

from __future__ import annotations

import pytest

from rlm_kernel.errors import TooManyTries
from rlm_kernel.http.tries import REMEMBERED, TRIES, FailedTries


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr("rlm_kernel.http.tries.time.monotonic", lambda: now[0])
    return now


def fail(failed: FailedTries, address: str, times: int) -> None:
    for _ in range(times):
        failed.note(address)


def test_one_try_too_many_within_a_minute_has_to_wait_for_its_end(clock: list[float]) -> None:
    failed = FailedTries()
    fail(failed, "10.0.0.1", TRIES)
    clock[0] += 20.5
    with pytest.raises(TooManyTries) as told:
        failed.note("10.0.0.1")
    assert told.value.retry_after == 40
    clock[0] += 39.5
    fail(failed, "10.0.0.1", TRIES)


def test_other_addresses_have_tries_of_their_own(clock: list[float]) -> None:
    failed = FailedTries()
    fail(failed, "10.0.0.1", TRIES)
    fail(failed, "10.0.0.2", TRIES)


def test_no_more_addresses_are_remembered_than_need_be(clock: list[float]) -> None:
    failed = FailedTries()
    for number in range(REMEMBERED + 10):
        failed.note(str(number))
    assert len(failed._failed) == REMEMBERED
