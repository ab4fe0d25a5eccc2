"""The guest's wheels: a closed, pinned set, fetched by pip."""

from __future__ import annotations

import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from rlm_kernel.errors import FetchError
from rlm_kernel.progress import SILENT
from rlm_kernel.pyodide.wheels import ensure_wheels, pinned_hashes
from tests.packages import write_wheel

GUEST = {
    "python_version": "3.14",
    "python_full_version": "3.14.2",
    "os_name": "posix",
    "sys_platform": "emscripten",
    "platform_system": "Emscripten",
    "platform_machine": "wasm32",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "extra": "",
}


@pytest.fixture
def links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that is all that pip knows."""
    folder = tmp_path / "links"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def lock(links: Path, tmp_path: Path) -> Path:
    """A lock file of two wheels in that folder."""
    path = tmp_path / "some.lock"
    lines = [write_wheel(links, name, {f"{name}.py": b"x = 1"}) for name in ("one", "two")]
    path.write_text("# a remark\n" + "".join(lines))
    return path


def test_the_wheels_come_in_the_order_of_the_lock(cache: Path, lock: Path) -> None:
    wheels = ensure_wheels(SILENT, lock=lock)
    assert [path.name.split("-")[0] for path in wheels] == ["one", "two"]
    assert {path.name for path in (cache / "wheels").iterdir()} == {
        "one-1.0-py3-none-any.whl",
        "two-1.0-py3-none-any.whl",
        "some.lock.lock",
    }


@pytest.mark.usefixtures("cache")
def test_wheels_that_are_there_are_not_fetched(lock: Path, links: Path) -> None:
    ensure_wheels(SILENT, lock=lock)
    for wheel in links.iterdir():
        wheel.unlink()
    assert len(ensure_wheels(SILENT, lock=lock)) == 2


@pytest.mark.usefixtures("cache")
def test_a_damaged_wheel_is_fetched_again(lock: Path) -> None:
    one = ensure_wheels(SILENT, lock=lock)[0]
    one.write_bytes(b"damaged")
    again = ensure_wheels(SILENT, lock=lock)[0]
    assert zipfile.is_zipfile(again)


@pytest.mark.usefixtures("links")
def test_a_wheel_with_another_hash_is_refused(cache: Path, lock: Path) -> None:
    digest = pinned_hashes(lock)[0]
    lock.write_text(lock.read_text().replace(digest, "0" * 64))
    with pytest.raises(FetchError, match="DO NOT MATCH THE HASHES"):
        ensure_wheels(SILENT, lock=lock)
    assert [path.name for path in (cache / "wheels").iterdir()] == ["some.lock.lock"]


@pytest.mark.usefixtures("cache", "links")
def test_a_wheel_that_the_index_lacks_is_a_fetch_error(lock: Path) -> None:
    lock.write_text(f"three==1.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(FetchError, match=r"No matching distribution found for three==1\.0"):
        ensure_wheels(SILENT, lock=lock)


def test_the_guests_wheels_are_pure_and_need_nothing_outside_the_lock() -> None:
    versions = {}
    wanted = []
    for wheel in ensure_wheels():
        name, version, _, tags = parse_wheel_filename(wheel.name)
        assert {tag.platform for tag in tags} == {"any"}
        versions[name] = version
        wanted += requirements_of(wheel)
    for requirement in wanted:
        assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)])
    assert {"ipython", "comm", "tzdata"} <= versions.keys()


def requirements_of(wheel: Path) -> list[Requirement]:
    """What a wheel requires in the guest."""
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith("dist-info/METADATA"))
        listed = Parser().parsestr(archive.read(metadata).decode()).get_all("Requires-Dist") or []
    requirements = [Requirement(line) for line in listed]
    return [each for each in requirements if each.marker is None or each.marker.evaluate(GUEST)]
