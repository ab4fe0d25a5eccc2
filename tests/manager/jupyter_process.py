"""A Jupyter server in a process of its own, which takes the manager's sessions for its kernels."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx


class JupyterProcess:
    """`python -m WORDS`, answering when the constructor returns; what it writes is in `folder`."""

    def __init__(
        self, folder: Path, *words: str, environment: Mapping[str, str] | None = None
    ) -> None:
        self._log = folder / "log"
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={
                    **os.environ,
                    "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
                    "JUPYTER_CONFIG_DIR": str(folder / "config"),
                    "JUPYTER_DATA_DIR": str(folder / "data"),
                    "JUPYTER_NO_CONFIG": "1",  # nor any extension, but those that are asked for
                    **(environment or {}),
                },
            )
        about = folder / "runtime" / f"jpserver-{self.process.pid}.json"
        while not (about.exists() and about.read_text().endswith("}")):
            assert self.process.poll() is None, self._log.read_text()
            threading.Event().wait(0.05)
        said = json.loads(about.read_text())
        self.url = str(said["url"]).rstrip("/")
        self.headers = {"Authorization": f"token {said['token']}"}
        self.http = httpx.Client(
            base_url=self.url, headers=self.headers, trust_env=False, timeout=60
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def kernels(self) -> list[str]:
        return [kernel["id"] for kernel in self.http.get("/api/kernels").json()]

    def adopt(self, kernel: str) -> httpx.Response:
        """Have a notebook use a kernel."""
        body = {"path": "a.ipynb", "type": "notebook", "name": "", "kernel": {"id": kernel}}
        return self.http.post("/api/sessions", json=body)

    def stop(self) -> None:
        """As its user stops it. Idempotent."""
        self.http.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)
