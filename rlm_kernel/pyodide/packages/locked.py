"""The outcome of a resolution, kept so that the next start is offline and has the same bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rlm_kernel.cache import open_private, replacing


@dataclass(frozen=True, slots=True)
class LockedWheel:
    """One archive. `origin` says where it is had: a path, a URL, or "" for pip's index.

    `folder` is where it is unpacked to in the guest; empty for the site-packages of a wheel.
    """

    name: str
    version: str
    filename: str
    sha256: str
    origin: str = ""
    folder: str = ""


@dataclass(frozen=True, slots=True)
class Lock:
    """What was resolved. `roots` are the packages that were asked for, by normalized name, and
    `missing` tells of requirements that could not be met."""

    wheels: tuple[LockedWheel, ...]
    roots: tuple[str, ...]
    missing: tuple[str, ...] = ()

    def write(self, path: Path) -> None:
        """Call under the lock of `path`."""
        with replacing(path) as file:
            file.write(json.dumps(asdict(self), indent=1).encode())

    @classmethod
    def read(cls, path: Path) -> Lock | None:
        """None where there is none, or none that can be read. Raises CacheError."""
        try:
            with open_private(path) as file:
                content: Mapping[str, Any] = json.loads(file.read())
            wheels = tuple([LockedWheel(**wheel) for wheel in content["wheels"]])
            return cls(wheels, tuple(content["roots"]), tuple(content["missing"]))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None
