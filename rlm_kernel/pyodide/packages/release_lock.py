"""The Pyodide release's own packages, which `pyodide-lock.json` names and pins."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from rlm_kernel.pyodide.packages.index import Candidate
from rlm_kernel.pyodide.packages.locked import LockedWheel
from rlm_kernel.pyodide.packages.wheel import canonical

SYSTEM_LIBRARIES = "/usr/lib"
"""Where archives of shared libraries go (`install_dir` "dynlib")."""


class ReleaseLock:
    """Packages by normalized name, to be had under `base_url`, a URL or a directory."""

    def __init__(self, packages: Mapping[str, Mapping[str, Any]], base_url: str) -> None:
        self._packages = {canonical(name): package for name, package in packages.items()}
        self._base_url = base_url.rstrip("/")

    @classmethod
    def read(cls, path: Path, base_url: str) -> ReleaseLock:
        return cls(json.loads(path.read_text())["packages"], base_url)

    def find(self, name: str) -> Candidate | None:
        """The one version of a package that the release has."""
        package = self._packages.get(canonical(name))
        if package is None or package["package_type"] not in ("package", "shared_library"):
            return None
        filename = str(package["file_name"])
        library = package["install_dir"] == "dynlib"
        wheel = LockedWheel(
            canonical(name),
            str(package["version"]),
            filename,
            str(package["sha256"]),
            origin=f"{self._base_url}/{filename}",
            folder=SYSTEM_LIBRARIES if library else "",
        )
        return Candidate(wheel, tuple([Requirement(other) for other in package["depends"]]))
