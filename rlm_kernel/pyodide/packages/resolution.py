"""Finds wheels for everything that is asked for and everything that those need in turn.

pip chooses each version. It is asked without dependencies, since it would take environment
markers for those of the Python it runs on; what a choice needs is added here, with the guest's
markers, and choices are made anew where that asks for other versions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from packaging.requirements import Requirement

from rlm_kernel.errors import PackageConflict, PackageNotFound
from rlm_kernel.pyodide.packages.index import Candidate, NoCandidate
from rlm_kernel.pyodide.packages.locked import Lock, LockedWheel
from rlm_kernel.pyodide.packages.needs import Need, applying, collect
from rlm_kernel.pyodide.packages.requests import Request
from rlm_kernel.pyodide.packages.target import PLATFORM
from rlm_kernel.pyodide.packages.wheel import LocalWheel, canonical

ROUNDS_MAX = 50

Choose = Callable[[Sequence[str]], Mapping[str, Candidate]]


@dataclass(frozen=True, slots=True)
class Sources:
    """Where wheels can come from.

    `present` are the guest's own packages, name to version. `choose` asks pip, for requirement
    lines; it raises NoCandidate. `release` looks a name up in the Pyodide release.
    """

    present: Mapping[str, str]
    choose: Choose
    release: Callable[[str], Candidate | None]


def resolve(requests: Sequence[Request], sources: Sources) -> Lock:
    """The wheels for these requests.

    What a package needs and nobody has is noted and left out, so that its import can tell. Raises
    PackageNotFound for a package that was asked for itself, PackageConflict, and FetchError.
    """
    return _Resolution(requests, sources).run()


class _Resolution:
    def __init__(self, requests: Sequence[Request], sources: Sources) -> None:
        self._sources = sources
        self._local = {wheel.name: wheel for wheel in requests if isinstance(wheel, LocalWheel)}
        self._roots = [_as_requirement(request) for request in requests]
        self._chosen: dict[str, Candidate] = {}
        self._chosen_for: dict[str, str] = {}
        self._missing: dict[str, str] = {}

    def run(self) -> Lock:
        needs = self._needs()
        for _ in range(ROUNDS_MAX):
            self._meet(needs)
            again = self._needs()
            if {n: need.line() for n, need in again.items()} == {
                n: need.line() for n, need in needs.items()
            }:
                return self._lock(again)
            needs = again
        raise PackageConflict("the versions that the packages need of each other do not settle")

    def _needs(self) -> dict[str, Need]:
        """What is asked for now, following the present choices."""
        asked: list[tuple[str, Requirement]] = [("", r) for r in applying(self._roots, ())]
        needs = collect(asked)
        open_names = list(needs)
        followed: set[tuple[str, frozenset[str]]] = set()
        while open_names:
            name = open_names.pop()
            extras = frozenset(needs[name].extras)
            candidate = self._chosen.get(name)
            if candidate is None or (name, extras) in followed:
                continue
            followed.add((name, extras))
            new = [(name, r) for r in applying(candidate.requires, extras)]
            asked += [pair for pair in new if pair not in asked]
            needs = collect(asked)
            open_names += [canonical(requirement.name) for _, requirement in new]
        return needs

    def _meet(self, needs: Mapping[str, Need]) -> None:
        """Chooses a wheel for each need that has none, or one for other versions."""
        wanted: dict[str, Need] = {}
        for name, need in needs.items():
            if name in self._sources.present:
                self._expect(need, self._sources.present[name], "the sandbox has")
            elif name in self._local:
                self._take_local(need)
            elif self._chosen_for.get(name) != need.line() and name not in self._missing:
                wanted[name] = need
        while wanted:
            try:
                found = self._sources.choose([need.line() for need in wanted.values()])
            except NoCandidate as none:
                if none.name not in wanted:
                    raise PackageNotFound(f"pip finds no wheel of {none.name}") from none
                self._take_from_release(wanted.pop(none.name), none.versions)
            else:
                for name, need in wanted.items():
                    self._take(need, found[name])
                return

    def _take_local(self, need: Need) -> None:
        local = self._local[need.name]
        self._expect(need, local.version, f"{local.path.name} is")
        wheel = LockedWheel(
            local.name, local.version, local.path.name, local.sha256, origin=str(local.path)
        )
        self._take(need, Candidate(wheel, local.requires))

    def _take_from_release(self, need: Need, versions: str) -> None:
        if versions != "none" and len(need.asked_by) > 1:
            raise PackageConflict(f"no version of {need.name} fits all of {need.explain()}")
        candidate = self._sources.release(need.name)
        if candidate is not None and need.allows(candidate.wheel.version):
            self._take(need, candidate)
            return
        has = (
            f"the Pyodide release has {candidate.wheel.version}"
            if candidate
            else ("the Pyodide release has none")
        )
        text = f"no wheel of {need.line()} runs in the sandbox ({PLATFORM}): "
        text += f"the package index has {_shortened(versions)}, {has}"
        if need.is_root:
            raise PackageNotFound(text)
        self._missing[need.name] = f"{need.explain()}: {text}"

    def _take(self, need: Need, candidate: Candidate) -> None:
        self._chosen[need.name] = candidate
        self._chosen_for[need.name] = need.line()

    @staticmethod
    def _expect(need: Need, version: str, whose: str) -> None:
        if not need.allows(version):
            raise PackageConflict(f"{whose} {need.name} {version}: {need.explain()} cannot be met")

    def _lock(self, needs: Mapping[str, Need]) -> Lock:
        wheels = [self._chosen[name].wheel for name in sorted(needs) if name in self._chosen]
        roots = sorted({canonical(requirement.name) for requirement in self._roots})
        missing = [text for name, text in sorted(self._missing.items()) if name in needs]
        return Lock(tuple(wheels), tuple(roots), tuple(missing))


def _as_requirement(request: Request) -> Requirement:
    if isinstance(request, LocalWheel):
        return Requirement(f"{request.name}=={request.version}")
    return request


def _shortened(versions: str) -> str:
    listed = versions.split(", ")
    return versions if len(listed) <= 5 else ", ".join(["...", *listed[-5:]])
