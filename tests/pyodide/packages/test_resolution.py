"""Which wheels are taken for what is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from rlm_kernel.errors import PackageConflict, PackageNotFound
from rlm_kernel.pyodide.packages.index import Candidate, NoCandidate
from rlm_kernel.pyodide.packages.locked import Lock, LockedWheel
from rlm_kernel.pyodide.packages.resolution import Sources, resolve
from rlm_kernel.pyodide.packages.wheel import LocalWheel

Known = Mapping[str, Mapping[str, Sequence[str]]]
"""Name to version to what that requires."""


class Index:
    """Stands for pip: takes the newest version that fits, and remembers what it was asked."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self.asked: list[Sequence[str]] = []

    def choose(self, lines: Sequence[str]) -> dict[str, Candidate]:
        self.asked.append(lines)
        return {Requirement(line).name: self._choose(Requirement(line)) for line in lines}

    def _choose(self, wanted: Requirement) -> Candidate:
        versions = self._known.get(wanted.name, {})
        fitting = [version for version in versions if wanted.specifier.contains(version)]
        if not fitting:
            raise NoCandidate(wanted.name, ", ".join(versions) or "none")
        newest = max(fitting, key=Version)
        return candidate(wanted.name, newest, versions[newest])


def candidate(name: str, version: str, requires: Sequence[str] = ()) -> Candidate:
    wheel = LockedWheel(name, version, f"{name}-{version}-py3-none-any.whl", "")
    return Candidate(wheel, tuple(map(Requirement, requires)))


def local(name: str, version: str, *requires: str) -> LocalWheel:
    path = Path(f"/wheels/{name}-{version}-py3-none-any.whl")
    return LocalWheel(path, name, version, "0" * 64, tuple(map(Requirement, requires)))


def resolved(
    known: Known,
    *requests: str | LocalWheel,
    present: Mapping[str, str] | None = None,
    release: Mapping[str, Candidate] | None = None,
) -> Lock:
    sources = Sources(present or {}, Index(known).choose, (release or {}).get)
    asked = [Requirement(item) if isinstance(item, str) else item for item in requests]
    return resolve(asked, sources)


def pins(lock: Lock) -> list[str]:
    return [f"{wheel.name}=={wheel.version}" for wheel in lock.wheels]


def test_what_a_package_needs_comes_along() -> None:
    known: Known = {"a": {"1": ["b>=2"], "2": ["b>=2"]}, "b": {"1": [], "2": ["c"]}, "c": {"1": []}}
    lock = resolved(known, "a<2")
    assert pins(lock) == ["a==1", "b==2", "c==1"]
    assert lock.roots == ("a",)


def test_markers_are_those_of_the_guest() -> None:
    known: Known = {
        "a": {
            "1": [
                "no; sys_platform == 'linux'",
                "no; python_version < '3.14'",
                "no; platform_machine == 'x86_64'",
                "no; implementation_name == 'pypy'",
                "yes; sys_platform == 'emscripten' and python_version >= '3.14'",
            ]
        },
        "yes": {"1": []},
    }
    assert pins(resolved(known, "a", "no; sys_platform == 'win32'")) == ["a==1", "yes==1"]


def test_extras_bring_what_they_need_whoever_asks_for_them() -> None:
    known: Known = {
        "a": {"1": ["c; extra == 'more'", "no; extra == 'other'"]},
        "b": {"1": ["a[more]"]},
        "c": {"1": []},
    }
    assert pins(resolved(known, "a")) == ["a==1"]
    assert pins(resolved(known, "a[more]")) == ["a==1", "c==1"]
    assert pins(resolved(known, "a", "b")) == ["a==1", "b==1", "c==1"]


def test_a_choice_is_made_anew_where_another_package_narrows_it() -> None:
    known: Known = {
        "a": {"1": [], "2": ["gone"]},
        "b": {"1": ["c"]},
        "c": {"1": ["a<2"]},
    }
    lock = resolved(known, "a", "b")
    assert pins(lock) == ["a==1", "b==1", "c==1"]
    assert lock.missing == ()  # what only the other choice needed is not missed


def test_packages_may_need_each_other() -> None:
    known: Known = {"a": {"1": ["b"]}, "b": {"1": ["a"]}}
    assert pins(resolved(known, "a")) == ["a==1", "b==1"]


def test_requirements_that_contradict_each_other_are_named() -> None:
    known: Known = {"a": {"1": ["b<2"]}, "b": {"1": [], "2": []}}
    with pytest.raises(PackageConflict, match=r"no version of b fits all of b>=2 .*b<2 \(a\)"):
        resolved(known, "a", "b>=2")


def test_a_package_that_nobody_has_is_not_found() -> None:
    with pytest.raises(PackageNotFound, match="the package index has none, the Pyodide release"):
        resolved({}, "nothing")


def test_versions_that_there_are_instead_are_told() -> None:
    known: Known = {"a": {str(number): [] for number in range(9)}}
    with pytest.raises(PackageNotFound, match=r"a>10 .* has \.\.\., 4, 5, 6, 7, 8, the Pyodide"):
        resolved(known, "a>10")


def test_what_a_package_needs_and_nobody_has_is_noted() -> None:
    lock = resolved({"a": {"1": ["gone>=3"]}}, "a")
    assert pins(lock) == ["a==1"]
    assert len(lock.missing) == 1
    assert lock.missing[0].startswith("gone>=3 (a): no wheel of gone>=3 runs in the sandbox")


def test_the_release_has_what_the_index_has_not() -> None:
    release = {"numpy": candidate("numpy", "2.4", ["blas"]), "blas": candidate("blas", "1")}
    lock = resolved({"a": {"1": ["numpy>=2"]}}, "a", release=release)
    assert pins(lock) == ["a==1", "blas==1", "numpy==2.4"]


def test_the_release_does_not_help_with_another_version() -> None:
    with pytest.raises(PackageNotFound, match=r"the Pyodide release has 2\.4"):
        resolved({}, "numpy>=3", release={"numpy": candidate("numpy", "2.4")})


def test_what_the_guest_has_is_not_fetched() -> None:
    index = Index({"a": {"1": ["ipython>=9", "Jedi"]}})
    sources = Sources({"ipython": "9.18.1", "jedi": "0.20"}, index.choose, lambda name: None)
    lock = resolve([Requirement("a"), Requirement("IPython")], sources)
    assert pins(lock) == ["a==1"]
    assert index.asked == [["a"]]


@pytest.mark.parametrize("requests", [("ipython<9",), ("a",)])
def test_what_the_guest_has_is_not_contradicted(requests: tuple[str, ...]) -> None:
    known: Known = {"a": {"1": ["ipython<9"]}}
    with pytest.raises(PackageConflict, match=r"the sandbox has ipython 9\.18\.1: ipython<9"):
        resolved(known, *requests, present={"ipython": "9.18.1"})


def test_a_wheel_of_the_users_own_serves_the_others_too() -> None:
    known: Known = {"a": {"1": ["b>=1"]}, "b": {"9": []}, "c": {"1": []}}
    lock = resolved(known, "a", local("b", "1.5", "c"))
    assert pins(lock) == ["a==1", "b==1.5", "c==1"]
    assert [wheel.origin for wheel in lock.wheels] == ["", "/wheels/b-1.5-py3-none-any.whl", ""]


def test_a_wheel_of_the_users_own_that_does_not_fit_is_a_conflict() -> None:
    with pytest.raises(PackageConflict, match=r"b-1.5-py3-none-any.whl is b 1.5: .*b>=2 \(a\)"):
        resolved({"a": {"1": ["b>=2"]}}, "a", local("b", "1.5"))


def test_versions_that_never_settle_end_in_an_error() -> None:
    known: Known = {"a": {"1": ["b==1"], "2": ["b==2"]}, "b": {"1": ["a==2"], "2": ["a==1"]}}
    with pytest.raises(PackageConflict, match=r"no version of|do not settle"):
        resolved(known, "a")
