"""The processes below one of ours, as the process table has them."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from pathlib import Path


def below(parent: int) -> set[int]:
    """All that descend from a process and live."""
    return set(_below(parent))


def wait_for_end(pids: set[int], timeout: float = 10.0) -> None:
    """Return when none of the processes runs any more. Raises TimeoutError after `timeout` s."""
    for pid in pids:
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            if not select.select([handle], [], [], timeout)[0]:
                raise TimeoutError(f"process {pid} still runs")
        finally:
            os.close(handle)


def _below(parent: int) -> Iterator[int]:
    for path in Path("/proc").iterdir():
        if path.name.isdecimal() and _parent(int(path.name)) == parent:
            yield int(path.name)
            yield from _below(int(path.name))


def _parent(pid: int) -> int:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    # The name of the program, in parentheses, may itself hold spaces and parentheses.
    return int(stat.rpartition(")")[2].split()[1])
