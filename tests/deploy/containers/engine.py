"""podman, set up so that it works without systemd, and the images that it is to run."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.deploy.rendered import ROOT

CONFIGURATION = """
[containers]
default_ulimits = ["nofile=16384:16384", "nproc=8192:8192"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
SUITES = {(3, 11): "bookworm", (3, 13): "trixie"}
"""Debian by the Python that it has: the wheels of `make offline` are for the one that runs this."""
NO_SUCH_FILES = ("/usr/share/man/*", "/usr/share/locale/*", "/usr/share/doc/*")
"""What the usual slim images are without, too."""

IMAGES = {"wasm-manager:latest": "wasm-manager", "rlm-inference:latest": "rlm-sidecar"}
BUILD_SECONDS = 1800.0


class CommandFailed(AssertionError):
    """A command ended with another status than 0."""


@dataclass(frozen=True, slots=True)
class Engine:
    """Runs podman with its configuration in `folder`."""

    folder: Path

    @classmethod
    def at(cls, folder: Path) -> Engine:
        (folder / "containers.conf").write_text(CONFIGURATION)
        return cls(folder)

    def __call__(self, *arguments: str, seconds: float = 120, stdin: str | None = None) -> str:
        """Standard output of `podman ARGUMENTS`. Raises CommandFailed."""
        done = self.try_(*arguments, seconds=seconds, stdin=stdin)
        if done.returncode != 0:
            raise CommandFailed(_told(["podman", *arguments], done))
        return done.stdout

    def try_(
        self, *arguments: str, seconds: float = 120, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """The same, for commands that may fail."""
        return subprocess.run(
            ["podman", *arguments],
            capture_output=True,
            text=True,
            timeout=seconds,
            env={**os.environ, "CONTAINERS_CONF": str(self.folder / "containers.conf")},
            cwd=self.folder,  # where a container that runs out of memory leaves a file
            input=stdin,
        )

    def has_image(self, name: str) -> bool:
        return self.try_("image", "exists", name).returncode == 0

    @property
    def base(self) -> str:
        return f"localhost/rlm-base:{self._suite}"

    @property
    def _suite(self) -> str:
        version = sys.version_info[:2]
        assert version in SUITES, f"no Debian has the Python that runs this: {version}"
        return SUITES[version]

    def ensure_base(self) -> None:
        """A Debian with Python, made of packages: there is no registry of images to ask."""
        if self.has_image(self.base):
            return
        archive = self.folder / "base.tar"
        excludes = [f"--dpkgopt=path-exclude={pattern}" for pattern in NO_SUCH_FILES]
        packages = "--include=python3,python3-venv,ca-certificates"
        command = ["mmdebstrap", "--quiet", "--variant=minbase", packages, *excludes]
        run([*command, self._suite, str(archive)], BUILD_SECONDS)
        self("import", str(archive), self.base)
        archive.unlink()

    def build(self, image: str, *further: str, tag: str = "") -> float:
        """Builds an image of ours without a network; how many seconds that took.

        `further` are build arguments, and `tag` is its name if not its own.
        """
        started = time.monotonic()
        arguments = [f"BASE={self.base}", "PIP_NO_INDEX=1", "PYODIDE_URL=/offline", *further]
        self(
            *("build", "--quiet", "--format=docker", "--network=none", f"--tag={tag or image}"),
            *(f"--build-arg={argument}" for argument in arguments),
            f"--file={ROOT / 'deploy' / 'docker' / f'Dockerfile.{IMAGES[image]}'}",
            str(ROOT),
            seconds=BUILD_SECONDS,
        )
        return time.monotonic() - started


def run(command: Sequence[str], seconds: float, stdin: str | None = None) -> str:
    """Standard output of a command. Raises CommandFailed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, input=stdin)
    if done.returncode != 0:
        raise CommandFailed(_told(command, done))
    return done.stdout


def _told(command: Sequence[str], done: subprocess.CompletedProcess[str]) -> str:
    return f"{' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
