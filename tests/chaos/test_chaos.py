"""Many clients use a manager while its processes are killed: every answer is true, and nothing of
what was killed is left in the manager's books, or of what it keeps on the system.

The seed decides who does what, and the system when, so that no two runs are alike.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
import time
from collections import Counter as Tally
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

from tests.chaos.counter import COUNT
from tests.chaos.havoc import Havoc, sessions_of
from tests.chaos.worker import Worker
from tests.manager.process import ManagerProcess
from tests.manager.test_server import client_of
from tests.processes import alive

WORKERS = 10
T = TypeVar("T")

PATIENCE = 60.0
"""Seconds after which a request counts as lost."""

POOL = 2
ENVIRONMENT = {
    "RLM_KERNEL_POOL": f"{POOL}",
    "RLM_KERNEL_ZYGOTE_SESSIONS": "100",
    "MAX_SESSIONS": "1000",
}


async def wreak(manager: ManagerProcess, seconds: float, seed: int) -> tuple[list[Worker], Havoc]:
    workers = [Worker(manager.url, f"{seed} {number}") for number in range(WORKERS)]
    havoc = Havoc(manager, f"{seed}")
    stop = asyncio.Event()
    async with asyncio.timeout(seconds + PATIENCE), asyncio.TaskGroup() as group:
        for work in (havoc.kill_sessions, havoc.kill_zygotes, *(one.work for one in workers)):
            group.create_task(work(stop))
        await asyncio.sleep(seconds)
        stop.set()
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        for worker in workers:
            group.create_task(worker.finish())
    return workers, havoc


def until(what: Callable[[], T], is_right: Callable[[T], bool]) -> T:
    end = time.monotonic() + PATIENCE
    while not is_right(found := what()):
        assert time.monotonic() < end, found
        threading.Event().wait(0.05)
    return found


def taken_by(manager: ManagerProcess) -> Tally[str]:
    """How many processes, and open files of each kind, it has."""
    taken = Tally({"process": len(manager.descendants())})
    for file in Path(f"/proc/{manager.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            taken[re.sub(r"\d+", "", str(file.readlink()))] += 1
    return taken


def listed(http: httpx.Client) -> set[str]:
    return {f"/session/{one['session_id']}" for one in http.get("/sessions").json()["sessions"]}


def survive(seconds: float, seed: int) -> None:
    with ManagerProcess(environment=ENVIRONMENT) as manager:
        with client_of(manager) as http:
            http.delete(f"/session/{http.post('/session').json()['session_id']}")
            assert http.get("/api").status_code == 200  # it comes later than the rest
        before = until(lambda: taken_by(manager), lambda taken: taken["process"] == 1 + POOL)
        workers, havoc = asyncio.run(wreak(manager, seconds, seed))
        check_books(manager, workers)
        check_losses(workers, havoc)
        until(lambda: taken_by(manager), lambda taken: taken <= before)
        report(workers, havoc)
        assert manager.stop() == 0, manager.log()
        assert "Traceback" not in manager.log(), manager.log()


def check_books(manager: ManagerProcess, workers: list[Worker]) -> None:
    """Whether the manager's list is what the clients know of, and the system's what is on it."""
    with client_of(manager) as http:
        known = {session for worker in workers for session in worker.sessions}
        assert known <= listed(http)
        # Clients that hung up too late for their session not to come to be.
        strangers = listed(http) - known
        assert len(strangers) <= sum(worker.done["_create_unheard"] for worker in workers)
        for session in strangers:
            assert http.post(f"{session}/execute", json={"code": COUNT}).json()["status"] == "ok"
        # Each comes to have its process and its standby, and of the dead none is left.
        expected = 2 * len(known | strangers) + POOL
        until(
            lambda: (manager.descendants(), len(sessions_of(manager))),
            lambda found: found[1] == expected and alive(found[0]) == found[0],
        )
        assert http.delete("/sessions").json() == {"deleted": len(known | strangers)}


def check_losses(workers: list[Worker], havoc: Havoc) -> None:
    """Whether no more ends of processes were told than there were; a live copy tells them again."""
    told = sum(worker.losses_in_all() for worker in workers)
    assert told <= havoc.sessions + sum(worker.done["_fork"] for worker in workers)


def report(workers: list[Worker], havoc: Havoc) -> None:
    done = sum((worker.done for worker in workers), Tally[str]())
    print(dict(done), f"killed {havoc.sessions} sessions, {havoc.zygotes} zygotes")
    print(f"{sum(worker.losses_in_all() for worker in workers)} losses told")


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("seconds", "seed"), [(8, 1), pytest.param(120, 2, marks=pytest.mark.chaos)]
)
def test_every_answer_is_true_and_the_books_agree_with_what_is_alive(
    seconds: float, seed: int
) -> None:
    survive(seconds, seed)
