"""The wheels that the guest's packages come from, pinned in `guest-wheels.lock`."""

from __future__ import annotations

import hashlib
from pathlib import Path

from rlm_kernel.cache import locked, private_directory, workspace
from rlm_kernel.errors import FetchError
from rlm_kernel.progress import SILENT, Progress
from rlm_kernel.registries import pip_download

LOCK = Path(__file__).with_name("guest-wheels.lock")

GUEST_PLATFORM = (
    "--python-version=3.14",
    "--implementation=py",
    "--abi=none",
    "--platform=any",
)
"""Pure wheels only: nothing that would have to be compiled for the guest."""


def ensure_wheels(progress: Progress = SILENT, *, lock: Path = LOCK) -> tuple[Path, ...]:
    """The wheels of a lock file, verified, in its order; those missing are fetched by pip.

    A lock file has requirement lines with one `--hash=sha256:` each. Raises FetchError.
    """
    hashes = pinned_hashes(lock)
    directory = private_directory("wheels")
    present = _verified(directory)
    if not all(digest in present for digest in hashes):
        with locked(directory / lock.name, progress):
            present = _verified(directory)
            if not all(digest in present for digest in hashes):
                _download(lock, directory, progress)
                present = _verified(directory)
    try:
        return tuple(present[digest] for digest in hashes)
    except KeyError as error:
        raise FetchError(f"pip brought no wheel with the SHA-256 {error}") from error


def pinned_hashes(lock: Path) -> list[str]:
    """The SHA-256 of each line of a lock file, in order."""
    mark = "--hash=sha256:"
    return [line.split(mark)[1].strip() for line in lock.read_text().splitlines() if mark in line]


def _verified(directory: Path) -> dict[str, Path]:
    return {
        hashlib.sha256(wheel.read_bytes()).hexdigest(): wheel
        for wheel in sorted(directory.glob("*.whl"))
    }


def _download(lock: Path, directory: Path, progress: Progress) -> None:
    progress.say(f"fetching the guest's packages ({len(pinned_hashes(lock))} wheels) from PyPI")
    arguments = [*GUEST_PLATFORM, "--require-hashes", "--requirement", str(lock)]
    with (
        workspace(directory / lock.name) as scratch,
        pip_download(arguments, scratch / "pip") as client,
    ):
        for wheel in client.wait(".whl"):
            wheel.replace(directory / wheel.name)
