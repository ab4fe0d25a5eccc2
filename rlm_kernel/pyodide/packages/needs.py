"""What is asked of each package, by whom, and whether that can be had together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from rlm_kernel.pyodide.packages.target import MARKERS
from rlm_kernel.pyodide.packages.wheel import canonical


@dataclass(slots=True)
class Need:
    """Everything that is asked of one package. `asked_by` holds a package's name, or "" of a
    request of the user's own."""

    name: str
    specifier: SpecifierSet = field(default_factory=SpecifierSet)
    extras: set[str] = field(default_factory=set)
    url: str | None = None
    asked_by: list[tuple[str, Requirement]] = field(default_factory=list)

    @property
    def is_root(self) -> bool:
        """Whether the user asked for it."""
        return any(not by for by, _ in self.asked_by)

    def add(self, requirement: Requirement, by: str) -> None:
        self.specifier &= requirement.specifier
        self.extras |= requirement.extras
        self.url = self.url or requirement.url
        self.asked_by.append((by, requirement))

    def line(self) -> str:
        """As one requirement that pip reads."""
        if self.url:
            return f"{self.name} @ {self.url}"
        return f"{self.name}{self.specifier}"

    def explain(self) -> str:
        """The requirements, each with who asks."""
        return ", ".join(
            f"{requirement.name}{requirement.specifier} ({by or 'asked for'})"
            for by, requirement in self.asked_by
        )

    def allows(self, version: str) -> bool:
        return self.specifier.contains(version, prereleases=True)


def collect(asked: Iterable[tuple[str, Requirement]]) -> dict[str, Need]:
    """The needs by normalized name."""
    needs: dict[str, Need] = {}
    for by, requirement in asked:
        name = canonical(requirement.name)
        needs.setdefault(name, Need(name)).add(requirement, by)
    return needs


def applying(requires: Sequence[Requirement], extras: Iterable[str]) -> list[Requirement]:
    """Those that hold in the guest, with these extras of the package that has them."""
    environments = [{**MARKERS, "extra": extra} for extra in ("", *sorted(extras))]
    return [
        requirement
        for requirement in requires
        if requirement.marker is None
        or any(requirement.marker.evaluate(environment) for environment in environments)
    ]
