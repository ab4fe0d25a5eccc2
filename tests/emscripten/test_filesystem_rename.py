"""Renaming, in all the cases that POSIX names."""

from __future__ import annotations

import pytest

from rlm_kernel.emscripten import Errno, FileSystem, expect_directory
from tests.emscripten.failing import fails
from tests.emscripten.tree import content, listing, tree


@pytest.fixture
def files() -> FileSystem:
    return tree("d/sub/", "d/sub/file", "empty/", "f", "g", "link -> d", "broken -> missing")


def test_a_file_gets_a_new_name(files: FileSystem) -> None:
    node = files.resolve("f")
    files.rename("f", "d/new")
    assert files.resolve("d/new") is node
    assert not files.exists("f")
    assert node.links == 1


def test_a_file_takes_the_place_of_a_file(files: FileSystem) -> None:
    replaced = files.resolve("g")
    files.rename("f", "g")
    assert content(files, "g") == "f"
    assert replaced.links == 0


def test_a_directory_moves_with_what_is_in_it(files: FileSystem) -> None:
    d = files.resolve("d")
    files.rename("d/sub/", "moved/")
    assert content(files, "moved/file") == "d/sub/file"
    assert files.resolve("moved/..") is files.root
    assert (d.links, files.resolve("moved").links) == (2, 2)


def test_a_directory_takes_the_place_of_an_empty_one(files: FileSystem) -> None:
    links = files.root.links
    replaced = files.resolve("empty")
    files.rename("d", "empty")
    assert content(files, "empty/sub/file") == "d/sub/file"
    assert files.path_of(expect_directory(files.resolve("empty/sub"))) == "/empty/sub"
    assert (replaced.links, files.root.links) == (0, links - 1)


def test_a_link_is_renamed_itself(files: FileSystem) -> None:
    files.rename("link", "f")
    files.rename("broken", "other")
    links = [path for path in listing(files) if "->" in path]
    assert links == ["f -> d", "other -> missing"]


@pytest.mark.parametrize("name", ["f", "d", "link"])
def test_a_rename_to_itself_does_nothing(files: FileSystem, name: str) -> None:
    before = listing(files)
    files.rename(name, f"d/../{name}")
    assert listing(files) == before


@pytest.mark.parametrize(
    ("old", "new", "errno"),
    [
        ("missing", "new", Errno.ENOENT),
        ("", "new", Errno.ENOENT),
        ("f", "", Errno.ENOENT),
        ("f", "missing/new", Errno.ENOENT),
        ("f", "g/new", Errno.ENOTDIR),
        ("f", "d", Errno.EISDIR),
        ("f", "empty", Errno.EISDIR),
        ("link", "empty", Errno.EISDIR),
        ("d", "f", Errno.ENOTDIR),
        ("d", "link", Errno.ENOTDIR),
        ("empty", "d", Errno.ENOTEMPTY),
        ("d/sub", "d", Errno.ENOTEMPTY),
        ("d", "d/new", Errno.EINVAL),
        ("d", "d/sub/new", Errno.EINVAL),
        ("d", "link/sub/new", Errno.EINVAL),
        ("f/", "new", Errno.ENOTDIR),
        ("f", "new/", Errno.ENOTDIR),
        ("f", "f/", Errno.ENOTDIR),
        ("link/", "new", Errno.ENOTDIR),
        ("d/.", "new", Errno.EBUSY),
        ("d/..", "new", Errno.EBUSY),
        ("/", "new", Errno.EBUSY),
        ("d", "/", Errno.EBUSY),
        ("d", ".", Errno.EBUSY),
        ("f", "x" * 256, Errno.ENAMETOOLONG),
    ],
)
def test_a_rename_that_is_refused_changes_nothing(
    files: FileSystem, old: str, new: str, errno: Errno
) -> None:
    before, room = listing(files), files.quota.left
    with fails(errno):
        files.rename(old, new)
    assert (listing(files), files.quota.left) == (before, room)


def test_each_name_starts_at_its_own_directory(files: FileSystem) -> None:
    sub = expect_directory(files.resolve("d/sub"))
    empty = expect_directory(files.resolve("empty"))
    files.rename("file", "moved", sub, empty)
    assert content(files, "empty/moved") == "d/sub/file"


def test_a_full_file_system_can_still_be_put_in_order() -> None:
    files = tree("f", "d/")
    files.quota.left = 0
    files.rename("f", "d/f")
    files.rename("d", "e")
    assert listing(files) == ["e/", "e/f"]
