"""What a hostile program must not see, and must not disturb."""

from __future__ import annotations

import getpass
import json
import os
import re
import socket
import sys
from pathlib import Path

import rlm_kernel
from rlm_kernel.sandbox import ExecutionResult, Limits, Sandbox
from rlm_kernel.sandbox.sandbox import _shared_host

CANARY = "CANARY-OF-THE-HOST"

NAME_MIN = 6
"""A shorter name of a user or a host may be in any text."""


class Neighbour:
    """A session with a variable, from the same zygote."""

    def __init__(self, box: Sandbox, limits: Limits) -> None:
        self._box = box
        self._zygote = _shared_host()._zygotes[limits, ()].current
        self._pids = (box.pid, self._zygote.pid)
        self._count = 0
        box.execute("count, mark = 0, object()\nfirst = id(mark)")

    @property
    def pids(self) -> tuple[int, ...]:
        """Of the session, of its zygote and of their owner."""
        return (*self._pids, os.getpid())

    def assert_undisturbed(self) -> None:
        self._count += 1
        result = self._box.execute("count += 1\nassert id(mark) == first\ncount", timeout=60)
        assert (result.result, result.state) == (str(self._count), "kept")
        assert (self._box.pid, self._zygote.pid) == self._pids


def output_of(result: ExecutionResult) -> str:
    """All that the program could show."""
    shown = [result.stdout, result.stderr, result.result or "", json.dumps(result.display)]
    if result.error is not None:
        shown += [result.error.ename, result.error.evalue, *result.error.traceback]
    return "\n".join(shown)


def secrets_in(output: str, pids: tuple[int, ...]) -> list[str]:
    """What of the host is in the output."""
    names = [name for name in (getpass.getuser(), socket.gethostname()) if len(name) >= NAME_MIN]
    package = Path(rlm_kernel.__file__).parent
    paths = [sys.prefix, str(package.parent), str(Path.home() / ".cache"), "site-packages/wasmtime"]
    found = [secret for secret in (CANARY, *names, *paths) if secret in output]
    return found + [str(pid) for pid in pids if re.search(rf"\bpid\W*{pid}\b", output)]
