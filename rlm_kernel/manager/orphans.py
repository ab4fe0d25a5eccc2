"""Sessions whose zygote died before them: they live on, and somebody has to reap them at last.

Usually the system's first process does. In a container that may be the manager itself, and what it
does not reap stays in the table of processes for ever.
"""

from __future__ import annotations

import asyncio
import os
import signal

from rlm_kernel.sandbox.system_calls import prctl

PR_SET_CHILD_SUBREAPER = 36
"""Source: Linux's `include/uapi/linux/prctl.h`."""


def adopt_orphans() -> None:
    """From now on this process takes over those of its descendants that lose their parents.

    They are reaped on the running event loop when they end, and so are its own children that lead a
    process session, as zygotes do. Children of other kinds are left to whoever started them.
    """
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, _reap)


def _reap() -> None:
    while (ended := _ended_child()) and os.getsid(ended) != os.getsid(0):
        os.waitpid(ended, 0)


def _ended_child() -> int | None:
    """One that waits to be reaped."""
    try:
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return found.si_pid if found else None
