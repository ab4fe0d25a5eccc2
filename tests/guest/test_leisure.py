"""Work that is put off until nothing else is asked of the session."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from rlm_kernel.guest.leisure import Leisure


class Timer:
    def __init__(self, run: Callable[[], None]) -> None:
        self.run = run
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Clock:
    """A loop whose timers run out when they are told to."""

    def __init__(self) -> None:
        self._timers: list[Timer] = []

    @property
    def due(self) -> list[Timer]:
        return [timer for timer in self._timers if not timer.cancelled]

    def call_later(self, _delay: float, callback: Callable[..., None], *arguments: Any) -> Timer:
        self._timers.append(Timer(partial(callback, *arguments)))
        return self._timers[-1]

    def run_out(self) -> None:
        timers, self._timers = self.due, []
        for timer in timers:
            timer.run()


def begun(answered: list[int | None], *steps: Callable[[], None]) -> Clock:
    clock = Clock()
    loop = cast(asyncio.AbstractEventLoop, clock)
    Leisure(loop, lambda: answered[-1], steps).begin()
    return clock


def test_it_acts_once_after_a_pause_without_a_request() -> None:
    acts: list[str] = []
    clock = begun([3], lambda: acts.append("done"))
    clock.run_out()
    clock.run_out()
    assert acts == ["done"]
    assert clock.due == []


def test_it_waits_as_long_as_requests_come_or_run() -> None:
    acts: list[str] = []
    answered: list[int | None] = [0]
    clock = begun(answered, lambda: acts.append("done"))
    for seen in (1, 2, None, None, 3):
        answered.append(seen)
        clock.run_out()
        assert acts == []
    clock.run_out()
    assert acts == ["done"]


def test_each_step_waits_for_a_pause_of_its_own() -> None:
    acts: list[str] = []
    answered: list[int | None] = [0]
    clock = begun(answered, lambda: acts.append("first"), lambda: acts.append("second"))
    clock.run_out()
    assert acts == ["first"]
    answered.append(1)
    clock.run_out()
    assert acts == ["first"]
    clock.run_out()
    assert acts == ["first", "second"]
    assert clock.due == []


def test_what_it_fails_at_is_left_alone() -> None:
    def fail() -> None:
        raise MemoryError

    clock = begun([0], fail)
    clock.run_out()
    assert clock.due == []


def test_beginning_anew_waits_anew() -> None:
    acts: list[str] = []
    clock = Clock()
    leisure = Leisure(
        cast(asyncio.AbstractEventLoop, clock), lambda: 0, [lambda: acts.append("done")]
    )
    leisure.begin()
    leisure.begin()
    assert len(clock.due) == 1
