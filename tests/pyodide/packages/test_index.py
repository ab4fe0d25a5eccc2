"""What pip is asked, and what its answers mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlm_kernel.errors import FetchError, PackageError
from rlm_kernel.pyodide.packages.index import NoCandidate, choose
from rlm_kernel.pyodide.packages.target import PLATFORM
from tests.packages import write_wheel


def test_the_newest_wheel_that_fits_is_chosen_with_its_hash_and_needs(
    index: Path, tmp_path: Path
) -> None:
    needs = ["Requires-Dist: other>=1; sys_platform == 'emscripten'"]
    write_wheel(index, "thing", {}, version="1.0")
    pin = write_wheel(
        index, "thing", {}, version="1.5", tag=f"cp314-cp314-{PLATFORM}", headers=needs
    )
    write_wheel(index, "thing", {}, version="1.6", tag="cp314-cp314-manylinux_2_17_x86_64")
    write_wheel(index, "thing", {}, version="2.0")
    write_wheel(index, "Some_Other", {})
    found = choose(["thing<2", "some-other"], tmp_path / "pip")
    wheel = found["thing"].wheel
    assert f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}\n" == pin
    assert wheel.filename == f"thing-1.5-cp314-cp314-{PLATFORM}.whl"
    assert wheel.origin == ""
    assert [str(needed) for needed in found["thing"].requires] == [
        'other>=1; sys_platform == "emscripten"'
    ]
    assert found["some-other"].wheel.version == "1.0"


def test_the_python_that_a_wheel_is_for_is_compared_with_the_guests(
    index: Path, tmp_path: Path
) -> None:
    write_wheel(index, "thing", {}, version="1.0", headers=["Requires-Python: >=3.14"])
    write_wheel(index, "thing", {}, version="2.0", headers=["Requires-Python: >=3.15"])
    assert choose(["thing"], tmp_path / "pip")["thing"].wheel.version == "1.0"


@pytest.mark.parametrize(("version", "versions"), [(None, "none"), ("1.0", "1.0")])
def test_a_package_without_a_fitting_wheel_is_named(
    index: Path, tmp_path: Path, version: str | None, versions: str
) -> None:
    write_wheel(index, "there", {})
    if version:
        write_wheel(index, "Thing_X", {}, version=version)
    with pytest.raises(NoCandidate) as caught:
        choose(["there", "thing-x>=2"], tmp_path / "pip")
    assert (caught.value.name, caught.value.versions) == ("thing-x", versions)


def test_an_index_out_of_reach_is_not_taken_for_one_without_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    for setting in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.setenv(setting, "")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(FetchError, match="the package index cannot be reached"):
        choose(["thing"], tmp_path / "pip")


def test_a_python_without_pip_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'python: No module named pip' >&2\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr("rlm_kernel.registries.sys.executable", str(python))
    with pytest.raises(FetchError, match="by pip, which this Python lacks"):
        choose(["thing"], tmp_path / "pip")


def test_what_else_stops_pip_is_passed_on(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (index / "thing-1.0-py3-none-any.whl").write_bytes(b"not a zip")
    with pytest.raises(PackageError, match=r"pip cannot resolve this: .*thing"):
        choose(["thing"], tmp_path / "pip")
