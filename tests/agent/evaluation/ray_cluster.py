"""A Ray cluster of one machine, on loopback, in processes that end with it."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.agent.processes import below, wait_for_end

# Ray waits 15 s for ports that its processes choose themselves, which is short on a busy machine;
# for those that are given it does not wait.
PORTS = (
    "port",
    "dashboard-agent-grpc-port",
    "dashboard-agent-listen-port",
    "runtime-env-agent-port",
    "metrics-export-port",
)
TRIES = 3
SECRET = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
"""What those who use the cluster need in their environment."""
ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", **SECRET}


class RayCluster:
    """Two cores of it; `address` is what to give to `--ray`."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="ray-")
        for _ in range(TRIES):
            self.address, self._process = self._launch()
            if self._is_up():
                return
            self._kill()
        self._folder.cleanup()
        raise TimeoutError("Ray did not start")

    @property
    def pid(self) -> int:
        return self._process.pid

    def workers(self) -> set[int]:
        """The processes that run a task at the moment."""
        return {pid for pid in below(self.pid) if "ray::evaluate_rem" in _name(pid)}

    def close(self) -> None:
        self._kill()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _launch(self) -> tuple[str, subprocess.Popen[str]]:
        ports = dict(zip(PORTS, _free_ports(len(PORTS)), strict=True))
        given = [f"--{name}={port}" for name, port in ports.items()]
        command = [str(Path(sys.executable).with_name("ray")), "start", "--head", "--block"]
        own = ["--num-cpus=2", "--include-dashboard=false", f"--temp-dir={self._folder.name}"]
        process = subprocess.Popen(
            [*command, *own, *given],
            env=os.environ | ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return f"127.0.0.1:{ports['port']}", process

    def _is_up(self) -> bool:
        assert self._process.stdout is not None
        return any("Ray runtime started" in line for line in self._process.stdout)

    def _kill(self) -> None:
        processes = below(self.pid)
        self._process.terminate()
        self._process.wait(30)
        for pid in processes:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        wait_for_end(processes)
        if self._process.stdout is not None:
            self._process.stdout.close()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
