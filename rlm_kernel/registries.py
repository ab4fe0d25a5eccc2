"""Packages from PyPI and npm, by the clients that the user has, as the user configured them."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from rlm_kernel.errors import FetchError

CLIENT_TIMEOUT_S = 600.0
GRACE_S = 5.0

NPM_RETRIES = ("--fetch-retries=2", "--fetch-retry-mintimeout=500", "--fetch-retry-factor=2")
"""A blip of the network fails nothing. By its own settings npm waits for a minute or more before it
admits that it is offline."""

PIP_CONNECTION = re.compile(r"connection broken by .*>: (.+)'\)'")
"""The cause in pip's warnings; its errors would only say that there is no such package."""


class PackageDownload:
    """A package client that downloads into `directory`, which also takes its temporary files.

    It starts at once and runs beside this process. As a context manager it is ended, if it still
    runs, on the way out.
    """

    def __init__(self, command: Sequence[str], directory: Path) -> None:
        self._name = Path(command[0]).name if command[0] != sys.executable else "pip"
        self._directory = directory
        directory.mkdir(mode=0o700)
        self._log = directory / "client.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=directory,
                env={**os.environ, "TMPDIR": str(directory)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def wait(self, suffix: str) -> list[Path]:
        """The downloaded files whose names end in `suffix`.

        Raises FetchError with the client's own words if it failed or brought no such file.
        """
        try:
            status = self._process.wait(CLIENT_TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            raise FetchError(f"{self._name} took more than {CLIENT_TIMEOUT_S:.0f} s") from error
        files = sorted(self._directory.glob(f"*{suffix}"))
        if status or not files:
            ended = f"{self._name} ended with status {status} and brought nothing"
            raise FetchError(self._complaint() or ended)
        return files

    def log(self) -> str:
        """All that the client has said."""
        return self._log.read_text(errors="replace")

    def close(self) -> None:
        """End the client, first by an interrupt so that it can tidy up. Idempotent."""
        if self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _complaint(self) -> str:
        lines = self.log().splitlines()
        broken = [match[1] for line in lines if (match := PIP_CONNECTION.search(line))][-1:]
        failed = [line for line in lines if line.startswith(("ERROR: ", "npm error "))][:3]
        return "; ".join(line.strip()[:250] for line in broken + failed)


def pip_download(arguments: Sequence[str], directory: Path) -> PackageDownload:
    """Start `pip download` of wheels, without their dependencies, into the new `directory`."""
    options = ["--quiet", "--no-deps", "--only-binary=:all:", "--progress-bar=off", "--no-input"]
    quiet = ["--disable-pip-version-check", "--dest", str(directory)]
    command = [sys.executable, "-m", "pip", "download", *options, *quiet, *arguments]
    return PackageDownload(command, directory)


def pip_report(arguments: Sequence[str], report: Path, directory: Path) -> PackageDownload:
    """Start pip, in the new `directory`, to say in a JSON file which wheels it would install.

    Dependencies are not followed, and nothing of the Python that runs pip counts.
    """
    what = [
        "--dry-run",
        "--ignore-installed",
        "--ignore-requires-python",
        f"--report={report}",
        f"--target={directory}",
        "--no-user",  # which would contradict the target, where it is the user's default
    ]
    options = ["--quiet", "--no-deps", "--only-binary=:all:", "--progress-bar=off", "--no-input"]
    command = [sys.executable, "-m", "pip", "install", *options, *what]
    return PackageDownload([*command, "--disable-pip-version-check", *arguments], directory)


def npm_pack(package: str, directory: Path) -> PackageDownload:
    """Start `npm pack` of a published package into the new `directory`.

    Raises FetchError if no npm is installed.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise FetchError("npm is not installed")
    return PackageDownload([npm, "pack", *NPM_RETRIES, "--ignore-scripts", package], directory)
