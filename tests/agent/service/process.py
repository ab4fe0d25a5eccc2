"""A real service in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from types import TracebackType
from typing import Self

ANNOUNCED = "rlm-kernel: listening on "
OURS = re.compile(r"RLM_KERNEL_(?!CACHE)|WASM_MANAGER|MODEL_PATH|LOG_LEVEL|OPENAI_|ANTHROPIC_")
KEY = "sk-a-key-that-nobody-may-see"


class AgentProcess:
    """`rlm-kernel agent --port 0`, listening when the constructor returns.

    Its model `openai/scripted` is at `model_url`.
    """

    def __init__(
        self,
        manager_url: str,
        model_url: str,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by close()
        own = {
            "WASM_MANAGER_SERVICE_URL": manager_url,
            "RLM_KERNEL_MODEL": "openai/scripted",
            "OPENAI_API_BASE": model_url,
            "OPENAI_API_KEY": KEY,
        }
        clean = {name: value for name, value in os.environ.items() if not OURS.match(name)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rlm_kernel", "agent", "--port", "0", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={**clean, **own, **(environment or {})},
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.startswith(ANNOUNCED):
            self.process.wait()
            log = self.log()
            self.close()
            raise AssertionError(f"the service said {line!r} and logged {log}")
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

    def log(self) -> str:
        """What it wrote to standard error so far."""
        self._errors.seek(0)
        return self._errors.read()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit status."""
        self.process.send_signal(number)
        return self.process.wait(timeout=60)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._errors.close()
