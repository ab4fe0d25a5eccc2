"""A wheel: its name and tags, what it needs, and the files in it."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import (
    InvalidWheelFilename,
    canonicalize_name,
    parse_wheel_filename,
)

from rlm_kernel.errors import BadWheel, WrongPlatform
from rlm_kernel.pyodide.packages.target import PLATFORM, fits


@dataclass(frozen=True, slots=True)
class LocalWheel:
    """A wheel of the user's own. `requires` is as its metadata has it, markers included."""

    path: Path
    name: str
    version: str
    sha256: str
    requires: tuple[Requirement, ...]

    @classmethod
    def read(cls, path: Path) -> LocalWheel:
        """Raises BadWheel, or WrongPlatform."""
        name, version = read_filename(path.name)
        try:
            sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
            with zipfile.ZipFile(path) as archive:
                requires = _requires(archive)
        except FileNotFoundError as error:
            raise BadWheel(f"there is no wheel {path}") from error
        except (OSError, zipfile.BadZipFile) as error:
            raise BadWheel(f"{path} is not a wheel: {error}") from error
        return cls(path, name, version, sha256, requires)


def read_filename(filename: str) -> tuple[str, str]:
    """The normalized name and the version of a wheel that fits the guest, from its file's name.

    Raises BadWheel, or WrongPlatform.
    """
    try:
        name, version, _, tags = parse_wheel_filename(filename)
    except InvalidWheelFilename as error:
        raise BadWheel(f"{filename} is not a wheel: {error}") from error
    if not any(fits(tag.interpreter, tag.abi, tag.platform) for tag in tags):
        raise WrongPlatform(
            f"{filename} was made for another platform: the sandbox is CPython 3.14 on {PLATFORM}"
        )
    return str(name), str(version)


def _requires(archive: zipfile.ZipFile) -> tuple[Requirement, ...]:
    found = [
        name
        for name in archive.namelist()
        if name.count("/") == 1 and name.endswith(".dist-info/METADATA")
    ]
    if not found:
        raise zipfile.BadZipFile("it has no METADATA")
    headers = BytesHeaderParser().parsebytes(archive.read(found[0]))
    return read_requirements(headers.get_all("Requires-Dist", []), found[0])


def read_requirements(lines: Iterable[str], whose: str) -> tuple[Requirement, ...]:
    """What a package's metadata says that it requires. Raises BadWheel."""
    try:
        return tuple([Requirement(line) for line in lines])
    except InvalidRequirement as error:
        reason = str(error).splitlines()[0]
        raise BadWheel(f"{whose} requires what cannot be read: {reason}") from error


def canonical(name: str) -> str:
    """The form of a package's name in which two spellings of it are equal."""
    return str(canonicalize_name(name))
