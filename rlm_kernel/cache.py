"""The cache directory as a place to trust: private, locked while it changes, never half written.

What belongs to the superuser is trusted as the user's own is. So a cache can be made once for all
users of a machine or an image, and be read-only to them.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from rlm_kernel.errors import CacheError
from rlm_kernel.progress import Progress

OTHERS_CAN_WRITE = stat.S_IWGRP | stat.S_IWOTH
SUPERUSER = 0

_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
_ADVICE = (
    "The cache cannot be written and lacks something: complete it by `rlm-kernel fetch` where it "
    "can be, with the same version, or set RLM_KERNEL_CACHE to a directory of your own."
)


def cache_dir() -> Path:
    """The folder that keeps what was fetched and compiled; it may not exist yet.

    `$RLM_KERNEL_CACHE`, else `$XDG_CACHE_HOME/rlm-kernel`, else `~/.cache/rlm-kernel`. An empty
    variable counts as unset, and so does a relative `XDG_CACHE_HOME` (XDG Base Directory, 0.8).
    """
    own = os.environ.get("RLM_KERNEL_CACHE")
    if own:
        return Path(own).expanduser().absolute()
    shared = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if shared.is_absolute():
        return shared / "rlm-kernel"
    return Path("~/.cache/rlm-kernel").expanduser()


def private_directory(name: str) -> Path:
    """The folder `name` of the cache, made if missing, that only this user and root can change.

    Raises CacheError if it, or the cache itself, belongs to another user, can be written by
    others, or cannot be made.
    """
    root = cache_dir()
    directory = root / name
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        for path in (root, directory):
            if not path.is_dir():
                path.mkdir(mode=0o700, exist_ok=True)
            _refuse_foreign(path, path.stat())
    except OSError as error:
        raise CacheError(
            f"the cache directory {directory} cannot be used: {error}{_advice(error)}"
        ) from error
    return directory


def _advice(error: OSError) -> str:
    return f". {_ADVICE}" if error.errno in _READ_ONLY else ""


@contextmanager
def open_private(path: Path) -> Iterator[BinaryIO]:
    """Open a file of the cache for reading, if it is this user's or the superuser's own and nobody
    else can write it.

    The checks are made on the open file, so what was checked is what is read. Raises CacheError
    where they fail, FileNotFoundError where there is no such file.
    """
    with path.open("rb") as file:
        _refuse_foreign(path, os.fstat(file.fileno()))
        yield file


def _refuse_foreign(path: Path, status: os.stat_result) -> None:
    if status.st_uid not in (os.geteuid(), SUPERUSER):
        raise CacheError(
            f"{path} belongs to user {status.st_uid} and not to user {os.geteuid()}, who runs this:"
            " code is not loaded from there. Set RLM_KERNEL_CACHE to a directory of your own."
        )
    if status.st_mode & OTHERS_CAN_WRITE:
        raise CacheError(
            f"{path} can be written by others (mode {stat.S_IMODE(status.st_mode):04o}):"
            f" code is not loaded from there. Run: chmod go-w {path}"
        )


@contextmanager
def locked(path: Path, progress: Progress) -> Iterator[None]:
    """Hold the lock of `path` against other threads and processes; wait for it if need be.

    The lock goes with the process that holds it, however that ends. Its empty file stays.
    What the operating system refuses meanwhile (a full disk, say) is raised as CacheError.
    Where the cache cannot be written at all, the error says what to do.
    """
    try:
        with path.with_name(f"{path.name}.lock").open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                progress.say(f"waiting for another process that is making {path.name}")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise CacheError(f"{path} could not be made: {error}{_advice(error)}") from error


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Write a file that appears under its name whole or not at all. Call under its lock."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        with unfinished.open("wb") as file:
            os.fchmod(file.fileno(), 0o600)
            yield file
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def workspace(path: Path) -> Iterator[Path]:
    """A scratch folder beside `path`, gone afterwards. Call under the lock of `path`.

    Its name is fixed: what a killed process left behind is removed by the next one.
    """
    scratch = path.with_name(f"{path.name}.scratch")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(mode=0o700)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def keep_newest(paths: Iterable[Path], count: int) -> None:
    """Remove all but the `count` files that were made last, whoever may still read them."""
    made = sorted(paths, key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for path in made[count:]:
        path.unlink()
