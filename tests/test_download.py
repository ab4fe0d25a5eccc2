"""Pinned files: accepted with exactly their content, from the first source that has it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from rlm_kernel.download import PinnedFile, obtain, store
from rlm_kernel.errors import FetchError, IntegrityError
from rlm_kernel.progress import SILENT, Progress

CONTENT = b"the right bytes"


def pin(name: str, content: bytes = CONTENT) -> PinnedFile:
    return PinnedFile(name, len(content), hashlib.sha256(content).hexdigest())


@dataclass
class Shelf:
    """A source that has one content for every file, or none."""

    name: str
    content: bytes | None
    asked: int = 0

    def deliver(self, files: Sequence[PinnedFile], directory: Path, progress: Progress) -> None:
        self.asked += 1
        if self.content is None:
            raise FetchError("nothing here")
        for pinned in files:
            store(io.BytesIO(self.content), pinned, directory, progress)


def test_the_first_source_that_has_the_file_is_the_last_that_is_asked(tmp_path: Path) -> None:
    empty, full, further = Shelf("a", None), Shelf("b", CONTENT), Shelf("c", CONTENT)
    (path,) = obtain([pin("file")], tmp_path, [empty, full, further], SILENT)
    assert path.read_bytes() == CONTENT
    assert [empty.asked, full.asked, further.asked] == [1, 1, 0]


def test_a_file_that_is_there_is_not_fetched(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(CONTENT)
    source = Shelf("a", CONTENT)
    assert obtain([pin("file")], tmp_path, [source], SILENT) == (tmp_path / "file",)
    assert source.asked == 0


@pytest.mark.parametrize("damaged", [b"", CONTENT[:-1], b"the wrong bytes"])
def test_a_damaged_file_is_fetched_again(tmp_path: Path, damaged: bytes) -> None:
    (tmp_path / "file").write_bytes(damaged)
    obtain([pin("file")], tmp_path, [Shelf("a", CONTENT)], SILENT)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_only_the_files_that_are_missing_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(CONTENT)

    class Curious(Shelf):
        def deliver(self, files: Sequence[PinnedFile], directory: Path, progress: Progress) -> None:
            assert [pinned.name for pinned in files] == ["two"]
            super().deliver(files, directory, progress)

    one, two = obtain([pin("one"), pin("two")], tmp_path, [Curious("a", CONTENT)], SILENT)
    assert one.read_bytes() == two.read_bytes() == CONTENT


@pytest.mark.parametrize("wrong", [b"the wrong bytes", b"short", CONTENT + b"!"])
def test_wrong_bytes_are_not_kept_and_the_next_source_is_asked(
    tmp_path: Path, wrong: bytes
) -> None:
    with pytest.raises(IntegrityError):
        Shelf("bad", wrong).deliver([pin("file")], tmp_path, SILENT)
    assert list(tmp_path.iterdir()) == []
    obtain([pin("file")], tmp_path, [Shelf("bad", wrong), Shelf("good", CONTENT)], SILENT)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_the_error_says_what_failed_at_each_source(tmp_path: Path) -> None:
    with pytest.raises(FetchError) as caught:
        obtain([pin("file")], tmp_path, [Shelf("a", None), Shelf("b", b"short")], SILENT)
    assert str(caught.value).splitlines() == [
        "no source delivered file:",
        "  a: nothing here",
        "  b: file has another size (5 bytes) than is pinned",
    ]


def test_an_interrupted_copy_leaves_only_the_partial_file(tmp_path: Path) -> None:
    class Interrupted(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell():
                raise KeyboardInterrupt
            return super().read(3)

    with pytest.raises(KeyboardInterrupt):
        store(Interrupted(CONTENT), pin("file"), tmp_path, SILENT)
    assert [path.name for path in tmp_path.iterdir()] == ["file.partial"]
