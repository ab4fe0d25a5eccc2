"""The layers of the guest's files: what is in them, and when they are compiled."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from rlm_kernel.pyodide import layers
from rlm_kernel.pyodide.layers import SITE_PACKAGES, STDLIB, guest_image, guest_sources, unpack
from rlm_kernel.pyodide.wheels import ensure_wheels
from tests.packages import write_wheel

TREE = "/lib/trees/tree"


class Compiler:
    """Stands for the guest's CPython and remembers what it was given."""

    def __init__(self) -> None:
        self.seen: list[Mapping[str, bytes]] = []

    def __call__(self, sources: Mapping[str, bytes]) -> Mapping[str, bytes]:
        self.seen.append(sources)
        return {f"{path}c": b"compiled " + text for path, text in sources.items()}


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    files = {
        "thing/__init__.py": b"x = 1",
        "thing/table.json": b"{}",
        "thing/tests/test_x.py": b"no",
        "thing/contest/y.py": b"yes",
        "thing-1.0.data/purelib/other.py": b"moved",
        "thing-1.0.data/data/share/man/thing.1": b"no",
        "thing-1.0.dist-info/entry_points.txt": b"[x]",
        "thing-1.0.dist-info/licenses/LICENSE": b"no",
    }
    write_wheel(tmp_path, "thing", files)
    return tmp_path / "thing-1.0-py3-none-any.whl"


@pytest.fixture
def stdlib(tmp_path: Path) -> Path:
    """An archive with one module in the place of the release's."""
    archive = tmp_path / "stdlib.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.mkdir("json")
        file.writestr("json/__init__.py", "standard = 1")
    return archive


@pytest.fixture
def guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small guest package in the place of the real one."""
    folder = tmp_path / "guest"
    (folder / "inner").mkdir(parents=True)
    (folder / "shell.py").write_text("y = 1")
    (folder / "inner" / "loop.py").write_text("z = 1")
    (folder / "notes.txt").write_text("not a source")
    monkeypatch.setattr(layers, "GUEST_PACKAGE", folder)
    return folder


def parse(image: Mapping[str, memoryview]) -> dict[str, bytes]:
    """Stands for the guest's parser: one file that says of how many files it knew."""
    return {TREE: str(len(image)).encode()}


@pytest.fixture
def small(
    cache: Path, guest: Path, wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """An image of one small wheel and the small guest package; returns its lock file."""
    lock = tmp_path / "small.lock"
    lock.write_text("thing==1.0")
    monkeypatch.setattr(layers, "LOCK", lock)
    monkeypatch.setattr(layers, "ensure_wheels", lambda progress: (wheel,))
    return lock


def test_a_wheel_is_unpacked_without_what_nobody_needs_at_run_time(wheel: Path) -> None:
    files = {path.removeprefix(f"{SITE_PACKAGES}/"): text for path, text in unpack([wheel]).items()}
    assert files.pop("thing-1.0.dist-info/METADATA").startswith(b"Metadata-Version")
    assert files == {
        "thing/__init__.py": b"x = 1",
        "thing/table.json": b"{}",
        "thing/contest/y.py": b"yes",
        "other.py": b"moved",
        "thing-1.0.dist-info/entry_points.txt": b"[x]",
    }


def test_the_guests_real_packages_keep_their_data_and_lose_foreign_stubs() -> None:
    files = unpack(ensure_wheels())
    for needed in (
        "IPython/core/interactiveshell.py",
        "jedi/third_party/typeshed/stdlib/builtins.pyi",
        "parso/python/grammar314.txt",
        "tzdata/zoneinfo/Europe/Berlin",
        "tzdata/zones",
        "ipython-9.18.1.dist-info/METADATA",
        "pygments-2.21.0.dist-info/entry_points.txt",
    ):
        assert f"{SITE_PACKAGES}/{needed}" in files
    assert not [path for path in files if "django-stubs" in path or "/tests/" in path]


def test_the_guest_code_has_its_place_without_the_package_around_it() -> None:
    sources = guest_sources()
    assert f"{SITE_PACKAGES}/rlm_kernel/guest/__init__.py" in sources
    assert f"{SITE_PACKAGES}/rlm_kernel/__init__.py" not in sources


@pytest.mark.usefixtures("small")
def test_the_image_has_sources_data_and_what_was_compiled(stdlib: Path) -> None:
    image = guest_image(Compiler(), parse, stdlib)
    assert bytes(image[f"{STDLIB}/json/__init__.pyc"]) == b"compiled standard = 1"
    assert bytes(image[f"{SITE_PACKAGES}/thing/__init__.py"]) == b"x = 1"
    assert bytes(image[f"{SITE_PACKAGES}/thing/__init__.pyc"]) == b"compiled x = 1"
    assert bytes(image[f"{SITE_PACKAGES}/thing/table.json"]) == b"{}"
    assert bytes(image[f"{SITE_PACKAGES}/rlm_kernel/guest/inner/loop.pyc"]) == b"compiled z = 1"
    assert f"{SITE_PACKAGES}/rlm_kernel/guest/notes.txt" not in image


@pytest.mark.usefixtures("small")
def test_the_image_has_what_was_parsed_of_the_packages_and_not_of_the_guest_code(
    guest: Path, stdlib: Path
) -> None:
    image = guest_image(Compiler(), parse, stdlib)
    of_guest = [path for path in image if "/rlm_kernel/guest/" in path]
    assert int(bytes(image[TREE])) == len(image) - len(of_guest) - 1
    (guest / "shell.py").write_text("y = 2")
    assert guest_image(Compiler(), lambda image: {}, stdlib)[TREE] == image[TREE]


@pytest.mark.usefixtures("small")
def test_an_image_that_is_there_is_not_compiled_again(stdlib: Path) -> None:
    first, second = Compiler(), Compiler()
    assert dict(guest_image(first, parse, stdlib)) == dict(guest_image(second, parse, stdlib))
    assert [len(first.seen), len(second.seen)] == [3, 0]


@pytest.mark.usefixtures("small")
def test_an_edit_of_the_guest_code_compiles_the_guest_code_only(guest: Path, stdlib: Path) -> None:
    guest_image(Compiler(), parse, stdlib)
    (guest / "shell.py").write_text("y = 2")
    again = Compiler()
    image = guest_image(again, parse, stdlib)
    assert bytes(image[f"{SITE_PACKAGES}/rlm_kernel/guest/shell.py"]) == b"y = 2"
    (sources,) = again.seen
    assert {path.rsplit("/", 1)[1] for path in sources} == {"shell.py", "loop.py"}


@pytest.mark.usefixtures("small")
def test_a_moved_file_of_the_guest_code_is_noticed(guest: Path, stdlib: Path) -> None:
    guest_image(Compiler(), parse, stdlib)
    (guest / "shell.py").rename(guest / "hell.py")
    assert f"{SITE_PACKAGES}/rlm_kernel/guest/hell.py" in guest_image(Compiler(), parse, stdlib)


def test_another_lock_compiles_the_wheels_only(small: Path, stdlib: Path) -> None:
    guest_image(Compiler(), parse, stdlib)
    small.write_text("thing==1.1")
    again = Compiler()
    guest_image(again, parse, stdlib)
    (sources,) = again.seen
    assert f"{SITE_PACKAGES}/thing/__init__.py" in sources


@pytest.mark.usefixtures("small")
def test_a_damaged_layer_is_made_anew(cache: Path, stdlib: Path) -> None:
    content = {path: bytes(view) for path, view in guest_image(Compiler(), parse, stdlib).items()}
    for layer in (cache / "images").glob("*.layer"):
        os.truncate(layer, 100)
    assert dict(guest_image(Compiler(), parse, stdlib)) == content


@pytest.mark.usefixtures("small")
def test_a_compiler_that_fails_leaves_no_layer(cache: Path, stdlib: Path) -> None:
    def fail(sources: Mapping[str, bytes]) -> Mapping[str, bytes]:
        raise RuntimeError("the guest died")

    with pytest.raises(RuntimeError, match="the guest died"):
        guest_image(fail, parse, stdlib)
    assert {path.suffix for path in (cache / "images").iterdir()} == {".lock"}


@pytest.mark.usefixtures("small")
def test_layers_of_old_edits_do_not_pile_up(cache: Path, guest: Path, stdlib: Path) -> None:
    for number in range(6):
        (guest / "shell.py").write_text(f"y = {number}")
        guest_image(Compiler(), parse, stdlib)
    assert len(list((cache / "images").glob("guest-*.layer"))) == 3
    assert len(list((cache / "images").glob("wheels-*.layer"))) == 1
