"""The index that pip is configured with, asked for wheels that fit the guest."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from rlm_kernel.errors import FetchError, PackageError
from rlm_kernel.pyodide.packages.locked import LockedWheel
from rlm_kernel.pyodide.packages.target import MARKERS, PIP_OPTIONS
from rlm_kernel.pyodide.packages.wheel import canonical, read_requirements
from rlm_kernel.registries import pip_report

ATTEMPTS = 10

_MISSING = re.compile(r"No matching distribution found for ([A-Za-z0-9._-]+)")
_VERSIONS = re.compile(r"\(from versions: (.+?)\)")


@dataclass(frozen=True, slots=True)
class Candidate:
    """The wheel that pip chose for a requirement, and what it requires, markers included."""

    wheel: LockedWheel
    requires: tuple[Requirement, ...]


class NoCandidate(Exception):
    """pip has no wheel for the package `name`; `versions` are those that it could choose from."""

    def __init__(self, name: str, versions: str) -> None:
        super().__init__(name)
        self.name = name
        self.versions = versions


def choose(lines: Sequence[str], directory: Path) -> dict[str, Candidate]:
    """pip's choice for each requirement line, by normalized name; dependencies are not followed.

    `directory` is new and takes pip's files. Raises NoCandidate for the first package that has
    none, FetchError where the index cannot be reached, PackageError where pip gives up otherwise.
    """
    directory.mkdir(mode=0o700)
    wanted = list(lines)
    for attempt in range(ATTEMPTS):
        items = _report(wanted, directory / str(attempt))
        refused = [item for item in items if not _runs_here(item)]
        if not refused:
            return {canonical(item["metadata"]["name"]): _candidate(item) for item in items}
        wanted = [_without(line, refused) for line in wanted]
    raise PackageError(f"no version of {', '.join(map(_name, refused))} is for Python 3.14")


def _report(lines: Sequence[str], directory: Path) -> list[dict[str, Any]]:
    report = directory / "report.json"
    with pip_report([*PIP_OPTIONS, *lines], report, directory) as client:
        try:
            client.wait(".json")
        except FetchError as error:
            raise _cause(error, client.log()) from error
    installs: list[dict[str, Any]] = json.loads(report.read_text())["install"]
    return installs


def _runs_here(item: Mapping[str, Any]) -> bool:
    """Whether the metadata allows the guest's Python; pip would compare that with its own."""
    allowed = SpecifierSet(item["metadata"].get("requires_python", ""))
    return allowed.contains(MARKERS["python_full_version"], prereleases=True)


def _name(item: Mapping[str, Any]) -> str:
    return canonical(item["metadata"]["name"])


def _without(line: str, refused: Iterable[Mapping[str, Any]]) -> str:
    """The requirement line without versions that it has led to."""
    requirement = Requirement(line)
    for item in refused:
        if _name(item) == canonical(requirement.name):
            requirement.specifier &= SpecifierSet(f"!={item['metadata']['version']}")
    return str(requirement)


def _candidate(item: Mapping[str, Any]) -> Candidate:
    metadata, download = item["metadata"], item["download_info"]
    url = str(download["url"])
    filename = unquote(urlsplit(url).path).rpartition("/")[2]
    sha256 = download.get("archive_info", {}).get("hashes", {}).get("sha256", "")
    wheel = LockedWheel(
        canonical(metadata["name"]),
        str(metadata["version"]),
        filename,
        sha256,
        origin=url if item["is_direct"] else "",
    )
    requires: Iterable[str] = metadata.get("requires_dist", ())
    return Candidate(wheel, read_requirements(requires, f"{wheel.name} {wheel.version}"))


def _cause(error: FetchError, log: str) -> Exception:
    """What pip's failure was about: a line that broke makes it say that nothing matches, too."""
    missing = _MISSING.search(log)
    if "connection broken" in log or "Errno -" in log:
        return FetchError(f"the package index cannot be reached: {error}")
    if missing:
        versions = _VERSIONS.search(log)
        return NoCandidate(canonical(missing[1]), versions[1] if versions else "none")
    if "No module named pip" in log:
        return FetchError("packages are resolved by pip, which this Python lacks")
    return PackageError(f"pip cannot resolve this: {error}")
