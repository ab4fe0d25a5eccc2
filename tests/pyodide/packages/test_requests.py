"""What users write to have a package, or a wheel of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlm_kernel.errors import BadWheel, PackageError, WrongPlatform
from rlm_kernel.pyodide.packages.requests import read_requests
from rlm_kernel.pyodide.packages.target import PLATFORM, fits
from rlm_kernel.pyodide.packages.wheel import LocalWheel
from tests.packages import write_wheel


def test_requirements_and_wheels_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_wheel(tmp_path, "thing", {}, headers=["Requires-Dist: other>=2; extra == 'more'"])
    monkeypatch.chdir(tmp_path)
    requirement, wheel = read_requests(["pydantic[email]>=2,<3", "./thing-1.0-py3-none-any.whl"])
    assert str(requirement) == "pydantic[email]<3,>=2"
    assert isinstance(wheel, LocalWheel)
    assert (wheel.name, wheel.version) == ("thing", "1.0")
    assert wheel.path == tmp_path / "thing-1.0-py3-none-any.whl"
    assert [str(needed) for needed in wheel.requires] == ['other>=2; extra == "more"']


@pytest.mark.parametrize("text", ["pydantic==", "two words", "", "-r requirements.txt", "a;b"])
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(PackageError, match="neither a package nor a wheel"):
        read_requests([text])


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("gone-1.0-py3-none-any.whl", None, "there is no wheel"),
        ("thing-1.0-py3-none-any.whl", b"not a zip", "is not a wheel"),
        ("thing.whl", b"", "is not a wheel"),
    ],
)
def test_a_file_that_is_no_wheel_is_refused(
    tmp_path: Path, name: str, content: bytes | None, reason: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(BadWheel, match=reason):
        read_requests([str(tmp_path / name)])


def test_a_wheel_that_requires_nonsense_is_refused(tmp_path: Path) -> None:
    write_wheel(tmp_path, "thing", {}, headers=["Requires-Dist: other >="])
    with pytest.raises(BadWheel, match="requires what cannot be read"):
        read_requests([str(tmp_path / "thing-1.0-py3-none-any.whl")])


@pytest.mark.parametrize(
    "tag", ["cp314-cp314-manylinux_2_17_x86_64", "cp313-cp313-pyodide_2025_0_wasm32"]
)
def test_a_wheel_for_another_platform_is_refused(tmp_path: Path, tag: str) -> None:
    write_wheel(tmp_path, "thing", {}, tag=tag)
    with pytest.raises(WrongPlatform, match=f"CPython 3.14 on {PLATFORM}"):
        read_requests([str(tmp_path / f"thing-1.0-{tag}.whl")])


@pytest.mark.parametrize(
    ("tag", "fitting"),
    [
        (("cp314", "cp314", PLATFORM), True),
        (("cp314", "abi3", PLATFORM), True),
        (("cp39", "abi3", PLATFORM), True),
        (("py3", "none", PLATFORM), True),
        (("py3", "none", "any"), True),
        (("py314", "none", "any"), True),
        (("cp314", "none", "any"), True),
        (("cp315", "abi3", PLATFORM), False),
        (("cp313", "cp313", PLATFORM), False),
        (("cp314", "cp314", "any"), False),
        (("py315", "none", "any"), False),
        (("cp313", "none", "any"), False),
        (("py2", "none", "any"), False),
        (("cp314", "cp314", "emscripten_4_0_9_wasm32"), False),
    ],
)
def test_tags_that_fit_the_guest(tag: tuple[str, str, str], fitting: bool) -> None:
    assert fits(*tag) is fitting
