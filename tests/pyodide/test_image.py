"""Layers of files, mapped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rlm_kernel.errors import CacheError
from rlm_kernel.pyodide.image import Image, open_layer, write_layer

FILES = {"/lib/a.py": b"a = 1", "/lib/empty": b"", "/lib/\N{SNOWMAN}/b": bytes(range(256))}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_layer(tmp_path / "layer", FILES)
    return tmp_path / "layer"


def opened(path: Path) -> dict[str, memoryview]:
    layer = open_layer(path)
    assert layer is not None
    return layer


def test_a_layer_gives_back_its_files(path: Path) -> None:
    assert opened(path) == FILES


def test_the_files_cannot_be_written(path: Path) -> None:
    assert opened(path)["/lib/a.py"].readonly


def test_files_stay_readable_after_the_layer_is_gone_from_the_cache(path: Path) -> None:
    view = opened(path)["/lib/a.py"]
    path.unlink()
    assert bytes(view) == b"a = 1"


def test_an_empty_layer_is_a_layer(tmp_path: Path) -> None:
    write_layer(tmp_path / "layer", {})
    assert opened(tmp_path / "layer") == {}


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:10],
        lambda data: data[:-1],
        lambda data: data + b"x",
        lambda data: b"another format" + data,
        lambda data: data[:-5] + b"x" + data[-4:],
    ],
    ids=["empty", "no header", "cut", "longer", "another format", "one byte"],
)
def test_a_damaged_layer_is_no_layer(path: Path, damage: Callable[[bytes], bytes]) -> None:
    path.write_bytes(damage(path.read_bytes()))
    assert open_layer(path) is None


def test_a_missing_layer_is_no_layer(tmp_path: Path) -> None:
    assert open_layer(tmp_path / "layer") is None


def test_a_layer_that_others_can_write_is_refused(path: Path) -> None:
    path.chmod(0o666)
    with pytest.raises(CacheError):
        open_layer(path)


def test_an_opened_layer_holds_no_more_than_its_map(path: Path) -> None:
    before = descriptors()
    layer = opened(path)
    assert descriptors() <= before + 1
    del layer
    assert descriptors() == before


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_later_layers_hide_earlier_ones() -> None:
    image = Image({"/a": memoryview(b"1"), "/b": memoryview(b"2")}, {"/a": memoryview(b"3")})
    assert dict(image) == {"/a": b"3", "/b": b"2"}
    assert len(image) == 2
    with pytest.raises(KeyError):
        image["/c"]
