"""A network of its own, as a pod has one, and code of the tests that runs in it."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from tests.deploy.containers.engine import run

CLONE_NEWNET = 0x40000000
"""Source: Linux's `include/uapi/linux/sched.h`."""

Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")


class Namespace:
    """A network namespace: that of a process, or a new one with a loopback and nothing else."""

    def __init__(self, name: str, of_process: int | None = None) -> None:
        self.name = name
        if of_process is None:
            run(["ip", "netns", "add", name], 30)
            run(["ip", "-n", name, "link", "set", "lo", "up"], 30)
        else:
            run(["ip", "netns", "attach", name, str(of_process)], 30)
        self._threads = ThreadPoolExecutor(8, initializer=self._enter)

    @property
    def path(self) -> Path:
        return Path("/run/netns") / self.name

    def call(
        self, function: Callable[Arguments, Result], *args: Arguments.args, **kw: Arguments.kwargs
    ) -> Result:
        """Calls the function on a thread for which this network is the only one."""
        return self.begin(function, *args, **kw).result()

    def begin(
        self, function: Callable[Arguments, Result], *args: Arguments.args, **kw: Arguments.kwargs
    ) -> Future[Result]:
        """The same, without waiting for it."""
        return self._threads.submit(function, *args, **kw)

    def command(self, *words: str) -> list[str]:
        """What to run for a process that has this network."""
        return ["ip", "netns", "exec", self.name, *words]

    def start(self, words: Sequence[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(self.command(*words), stdout=subprocess.PIPE, text=True)

    def close(self) -> None:
        self._threads.shutdown()
        run(["ip", "netns", "delete", self.name], 30)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _enter(self) -> None:
        with self.path.open() as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET):
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number))
