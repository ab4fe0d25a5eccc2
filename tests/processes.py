"""What the process table says of the processes that a test started."""

from __future__ import annotations

import asyncio
from pathlib import Path


def alive(pids: set[int]) -> set[int]:
    """Those of the processes that still run; one that only waits to be reaped does not."""
    return {pid for pid in pids if _state_and_parent(pid)[0] not in ("", "Z", "X")}


async def until_ended(pids: set[int]) -> None:
    """Returns when none of the processes runs any more."""
    while alive(pids):  # noqa: ASYNC110 - nothing else happens on the loop of a test
        await asyncio.sleep(0.005)


def children_of(parent: int) -> set[int]:
    pids = {int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()}
    return {pid for pid in pids if _state_and_parent(pid)[1] == parent}


def descendants_of(parent: int) -> set[int]:
    children = children_of(parent)
    return children.union(*map(descendants_of, children))


def _state_and_parent(pid: int) -> tuple[str, int]:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return "", 0
    # The name of the program, in parentheses, may itself hold spaces and parentheses.
    state, parent, *_ = stat.rpartition(")")[2].split()
    return state, int(parent)
