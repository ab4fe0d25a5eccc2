"""A real manager in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.processes import children_of, descendants_of

ANNOUNCED = "rlm-kernel: listening on "
OURS = ("PYODIDE_URL", "MAX_SESSIONS", "SESSION_TTL", "LOG_LEVEL")


class ManagerProcess:
    """`rlm-kernel serve --port 0`, listening when the constructor returns."""

    def __init__(self, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by close()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rlm_kernel", "serve", "--port", "0", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={**_clean_environment(), **(environment or {})},
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.startswith(ANNOUNCED):
            self.close()
            raise AssertionError(f"the manager said {line!r} and logged {self.log()}")
        self.url = line.removeprefix(ANNOUNCED).strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        return self.process.pid

    def log(self) -> str:
        """What it wrote to standard error so far."""
        self._errors.seek(0)
        return self._errors.read()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit status."""
        self.process.send_signal(number)
        return self.process.wait(timeout=30)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        self._errors.close()

    def descendants(self) -> set[int]:
        """Its zygote and its sessions, as far as they live."""
        return descendants_of(self.pid)

    def children(self) -> set[int]:
        """Its zygote."""
        return children_of(self.pid)

    def open_files(self) -> int:
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))


def _clean_environment() -> dict[str, str]:
    kept = {"RLM_KERNEL_CACHE", "RLM_KERNEL_POOL"}
    return {
        name: value
        for name, value in os.environ.items()
        if name in kept or not (name in OURS or name.startswith("RLM_KERNEL_"))
    }
