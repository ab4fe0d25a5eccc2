"""What processes take of the machine's memory."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

MB = 1e6


def private_bytes(pid: int) -> int:
    """Memory of a process that it shares with no other."""
    return _sum_of(pid, "Private_")


def bytes_of_descendants() -> int:
    """Memory of all processes below this one, shared pages counted once."""
    return proportional_bytes(_below(os.getpid()))


def proportional_bytes(pids: Iterable[int]) -> int:
    """Memory of these processes, pages that some of them share counted once."""
    return sum(_sum_of(pid, "Pss:") for pid in pids)


def _sum_of(pid: int, field: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):  # it has just ended
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def _below(pid: int) -> list[int]:
    threads = Path(f"/proc/{pid}/task").iterdir()
    children = [int(child) for t in threads for child in (t / "children").read_text().split()]
    return [descendant for child in children for descendant in (child, *_below(child))]
