"""Ways to get a release without the web."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

import pytest

from rlm_kernel.download import PinnedFile, Source
from rlm_kernel.errors import ConfigurationError, FetchError, IntegrityError
from rlm_kernel.progress import SILENT
from rlm_kernel.pyodide.sources import DirectorySource, NpmSource, WheelSource, source_at
from rlm_kernel.web import WebSource
from tests.packages import fake_npm, only_pip_knows, write_wheel

CONTENTS = {"one.wasm": b"the first file", "two.zip": b"the second file"}
FILES = [
    PinnedFile(name, len(content), hashlib.sha256(content).hexdigest())
    for name, content in CONTENTS.items()
]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "target").mkdir()
    return tmp_path / "target"


def write_files(folder: Path, contents: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return folder


def pack_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, contents: dict[str, bytes]) -> None:
    """Have `npm pack` bring an archive of these files."""
    write_files(tmp_path / "package", contents)
    with tarfile.open(tmp_path / "thing.tgz", "w:gz") as archive:
        archive.add(tmp_path / "package", "package")
    fake_npm(tmp_path, monkeypatch, f"cp {tmp_path / 'thing.tgz'} .")


def delivered(source: Source, target: Path) -> dict[str, bytes]:
    source.deliver(FILES, target, SILENT)
    return {path.name: path.read_bytes() for path in target.iterdir()}


def test_a_directory_delivers_its_files(tmp_path: Path, target: Path) -> None:
    source = DirectorySource(write_files(tmp_path / "release", CONTENTS))
    assert delivered(source, target) == CONTENTS


def test_a_directory_without_the_file_is_a_fetch_error(tmp_path: Path, target: Path) -> None:
    with pytest.raises(FetchError, match=r"No such file.*one\.wasm"):
        delivered(DirectorySource(tmp_path / "nothing"), target)


def test_a_directory_with_other_bytes_is_refused(tmp_path: Path, target: Path) -> None:
    source = DirectorySource(write_files(tmp_path / "release", dict.fromkeys(CONTENTS, b"x" * 14)))
    with pytest.raises(IntegrityError, match=r"one\.wasm has another SHA-256"):
        delivered(source, target)


def test_an_npm_package_delivers_its_files_and_nothing_else_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: Path
) -> None:
    pack_npm(tmp_path, monkeypatch, CONTENTS)
    assert delivered(NpmSource("thing@1"), target) == CONTENTS


def test_an_npm_package_without_the_file_is_a_fetch_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: Path
) -> None:
    pack_npm(tmp_path, monkeypatch, {"one.wasm": CONTENTS["one.wasm"]})
    with pytest.raises(FetchError, match=r"the package has no two\.zip"):
        delivered(NpmSource("thing@1"), target)


def test_a_broken_npm_package_is_a_fetch_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: Path
) -> None:
    fake_npm(tmp_path, monkeypatch, "echo no archive > thing.tgz")
    with pytest.raises(FetchError, match=r"thing\.tgz cannot be read"):
        delivered(NpmSource("thing@1"), target)
    assert list(target.iterdir()) == []


def test_a_wheel_delivers_its_files_and_nothing_else_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: Path
) -> None:
    wheels = only_pip_knows(tmp_path / "wheels", monkeypatch)
    write_wheel(wheels, "thing", {f"thing/web/{name}": text for name, text in CONTENTS.items()})
    assert delivered(WheelSource("thing==1.0", "thing/web"), target) == CONTENTS


def test_a_wheel_without_the_file_is_a_fetch_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: Path
) -> None:
    write_wheel(only_pip_knows(tmp_path / "wheels", monkeypatch), "thing", {})
    with pytest.raises(FetchError, match=r"no item named 'thing/web/one\.wasm'"):
        delivered(WheelSource("thing==1.0", "thing/web"), target)


@pytest.mark.parametrize("location", ["/some/where", "file:///some/where"])
def test_a_path_and_a_file_url_name_a_directory(location: str) -> None:
    assert source_at(location) == DirectorySource(Path("/some/where"))


def test_an_http_url_names_a_web_source() -> None:
    assert source_at("https://example.org/full/") == WebSource("https://example.org/full/")


def test_another_kind_of_url_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="is neither a directory"):
        source_at("ftp://example.org")
