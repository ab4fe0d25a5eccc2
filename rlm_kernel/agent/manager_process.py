"""A manager of one's own, as a child process that ends with its owner, whatever ends that."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rlm_kernel.errors import ManagerUnavailable

_STOP_SECONDS = 15.0
_OPTIONS = ("--port", "0", "--stop-on-eof")
_LOOPBACK = {"RLM_KERNEL_HOST": "127.0.0.1"}
_SECRET = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS)$")


class ManagerProcess:
    """A manager on a free port of 127.0.0.1; a context manager around its life.

    It starts with the object and boots meanwhile; `url` waits until it listens. Nobody else on
    the machine can use it, because it asks for `token`. Its messages go to our stderr. Its
    sessions start with the packages `preload`.
    """

    def __init__(self, preload: Sequence[str] = ()) -> None:
        self.token = secrets.token_urlsafe()
        self._url: str | None = None
        packages = [f"--preload={package}" for package in preload]
        self._process = subprocess.Popen(
            # -P: a module that lies in the working directory must not run in place of a library.
            [sys.executable, "-P", "-m", "rlm_kernel", "serve", *_OPTIONS, *packages],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_environment(self.token),
            start_new_session=True,  # a Ctrl-C is for us, and we end it when we are done
        )

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def url(self) -> str:
        """Where it answers. Raises ManagerUnavailable when it could not start."""
        if self._url is None:
            assert self._process.stdout is not None
            line = self._process.stdout.readline().decode().split()
            if not line:
                status = self._process.wait()
                raise ManagerUnavailable(f"the manager could not start (exit status {status})")
            self._url = line[-1]
        return self._url

    def stop(self) -> None:
        """End it and its sessions. Idempotent."""
        self._process.terminate()
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def _environment(token: str) -> dict[str, str]:
    """Ours without its secrets: the keys of models are no business of where code runs."""
    shared = {name: value for name, value in os.environ.items() if not _SECRET.search(name)}
    return {"LOG_LEVEL": "WARNING", **shared, "RLM_KERNEL_TOKEN": token, **_LOOPBACK}
