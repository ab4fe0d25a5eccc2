"""Asynchronous work for callers that are not."""

from __future__ import annotations

import asyncio
import signal
import threading

import pytest

from rlm_kernel.agent.blocking import run_blocking


async def give(value: int) -> int:
    await asyncio.sleep(0)
    return value


async def fail() -> None:
    raise LookupError("no")


def test_without_an_event_loop_the_work_is_run() -> None:
    assert run_blocking(give(5)) == 5


def test_inside_an_event_loop_too() -> None:
    async def caller() -> int:
        return run_blocking(give(5))

    assert asyncio.run(caller()) == 5


def test_errors_come_through_either_way() -> None:
    async def caller() -> None:
        run_blocking(fail())

    with pytest.raises(LookupError, match="no"):
        run_blocking(fail())
    with pytest.raises(LookupError, match="no"):
        asyncio.run(caller())


def test_ctrl_c_inside_an_event_loop_cancels_the_work_and_waits_until_it_has_cleaned_up() -> None:
    started, cleaned_up = threading.Event(), threading.Event()

    async def endless() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned_up.set()

    async def caller() -> None:
        threading.Thread(target=interrupt).start()
        run_blocking(endless())

    def interrupt() -> None:
        started.wait()
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

    def on_signal(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, on_signal)
    try:
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(caller())
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert cleaned_up.is_set()


def test_ctrl_c_before_the_work_has_begun_leaves_it_undone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun = threading.Event()

    async def work() -> None:
        begun.set()

    def interrupted(thread: threading.Thread) -> None:
        raise KeyboardInterrupt

    async def caller() -> None:
        monkeypatch.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_blocking(work())
        monkeypatch.undo()

    asyncio.run(caller())
    assert not begun.is_set()
