"""The archives that a lock names, in the cache, each verified by its hash."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from rlm_kernel.cache import locked, private_directory, workspace
from rlm_kernel.errors import FetchError, IntegrityError
from rlm_kernel.progress import Progress
from rlm_kernel.pyodide.packages.locked import LockedWheel
from rlm_kernel.pyodide.packages.target import PIP_OPTIONS
from rlm_kernel.registries import pip_download


def archive_path(wheel: LockedWheel) -> Path:
    """Where the archive is kept: by content, since two of the user's may share a name."""
    return private_directory("packages") / f"{wheel.sha256}.whl"


def fetch_archives(wheels: Sequence[LockedWheel], progress: Progress) -> tuple[LockedWheel, ...]:
    """Brings those that the cache lacks. One without a hash has it afterwards.

    Raises FetchError where an archive cannot be had, IntegrityError where it is another one.
    """
    if all(map(_is_there, wheels)):
        return tuple(wheels)
    directory = private_directory("packages")
    with locked(directory / "archives", progress), workspace(directory / "archives") as scratch:
        missing = [wheel for wheel in wheels if not _is_there(wheel)]
        from_index = _download([w for w in missing if not w.origin], scratch, progress)
        fetched = {
            wheel: _keep(wheel, from_index.get(wheel) or _bring(wheel, scratch, progress))
            for wheel in missing
        }
    return tuple([fetched.get(wheel, wheel) for wheel in wheels])


def _is_there(wheel: LockedWheel) -> bool:
    path = archive_path(wheel)
    return bool(wheel.sha256) and path.is_file() and _sha256(path) == wheel.sha256


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _keep(wheel: LockedWheel, found: Path) -> LockedWheel:
    sha256 = _sha256(found)
    if wheel.sha256 not in ("", sha256):
        raise IntegrityError(f"{wheel.filename} has the SHA-256 {sha256} and not {wheel.sha256}")
    verified = replace(wheel, sha256=sha256)
    found.chmod(0o600)
    found.replace(archive_path(verified))
    return verified


def _download(
    wheels: Sequence[LockedWheel], scratch: Path, progress: Progress
) -> dict[LockedWheel, Path]:
    """What pip downloads from its index."""
    if not wheels:
        return {}
    progress.say(f"fetching {_listed(wheels)} through pip")
    # Hashes are not told to pip, which would want one of each; `_keep` compares them.
    lines = [f"{wheel.name}=={wheel.version}" for wheel in wheels]
    with pip_download([*PIP_OPTIONS, "--ignore-requires-python", *lines], scratch / "pip") as pip:
        found = {path.name: path for path in pip.wait(".whl")}
    try:
        return {wheel: found[wheel.filename] for wheel in wheels}
    except KeyError as error:
        raise FetchError(f"pip brought no {error.args[0]}, but {', '.join(found)}") from error


def _listed(wheels: Iterable[LockedWheel]) -> str:
    return ", ".join(f"{wheel.name} {wheel.version}" for wheel in wheels)


def _bring(wheel: LockedWheel, scratch: Path, progress: Progress) -> Path:
    parts = urlsplit(wheel.origin)
    target = scratch / wheel.filename
    if parts.scheme in ("http", "https"):
        # Here and not above: the HTTP client is slow to import and seldom needed.
        from rlm_kernel.web import receive

        progress.say(f"fetching {wheel.name} {wheel.version} from {wheel.origin}")
        receive(wheel.origin, target, progress)
        return target
    path = unquote(parts.path) if parts.scheme == "file" else wheel.origin
    try:
        return Path(shutil.copyfile(path, target))
    except OSError as error:
        raise FetchError(f"{path} cannot be read: {error.strerror}") from error
