"""Looking at processes through /proc."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

POLL_SECONDS = 0.02


def descendants(pid: int) -> set[int]:
    """The children of a process, their children, and so on."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and (fields := _fields(int(folder.name))):
            parents[int(folder.name)] = int(fields[1])
    found, fresh = set[int](), {pid}
    while fresh:
        fresh = {child for child, parent in parents.items() if parent in fresh}
        found |= fresh
    return found


def is_running(pid: int) -> bool:
    """Whether the process exists and is not only waiting to be reaped."""
    fields = _fields(pid)
    return bool(fields) and fields[0] != "Z"


def wait_until_gone(pids: Iterable[int]) -> None:
    """Returns once none of the processes is running; the test's time limit is the limit."""
    left = set(pids)
    while left := {pid for pid in left if is_running(pid)}:
        time.sleep(POLL_SECONDS)


def _fields(pid: int) -> list[str]:
    """State, parent and so on, of `/proc/PID/stat`; empty when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
