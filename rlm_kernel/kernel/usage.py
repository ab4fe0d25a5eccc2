"""What a session's process uses of the machine, as Linux tells it."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path

from rlm_kernel.kernel.message import Content

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Usage:
    """Answers `usage_request`. CPU is a percentage of one processor since it was last asked for."""

    def __init__(self) -> None:
        self._last: tuple[int, float, float] | None = None

    def read(self, pid: int | None) -> Content:
        """The content of a `usage_reply`: nothing is used where the process is not there."""
        return {
            "status": "ok",
            "hostname": platform.node(),
            "pid": pid,
            "cpu_count": os.cpu_count(),
            "kernel_cpu": 0.0 if pid is None else self._cpu_percent(pid),
            "kernel_memory": 0 if pid is None else memory_bytes(pid),
        }

    def _cpu_percent(self, pid: int) -> float:
        now, used = time.monotonic(), cpu_seconds(pid)
        last, self._last = self._last, (pid, now, used)
        if last is None or last[0] != pid or now <= last[1]:
            return 0.0
        return round(100 * max(0.0, used - last[2]) / (now - last[1]), 1)


def cpu_seconds(pid: int) -> float:
    """CPU time of a process so far, 0 if there is none (proc_pid_stat(5): utime and stime)."""
    fields = _read(pid, "stat").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND if fields else 0.0


def memory_bytes(pid: int) -> int:
    """Memory that is the process's alone, or, where the system does not tell, all that it maps."""
    own = [line for line in _read(pid, "smaps_rollup").splitlines() if line.startswith("Private_")]
    if own:
        return sum(int(line.split()[1]) for line in own) << 10
    fields = _read(pid, "statm").split()
    return int(fields[1]) * PAGE_BYTES if fields else 0


def anonymous_bytes(pid: int) -> int:
    """Memory of a process that is of no file, what it shares with others included."""
    resident, shared = (int(field) for field in _read(pid, "statm").split()[1:3] or (0, 0))
    return (resident - shared) * PAGE_BYTES


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except OSError:
        return ""
