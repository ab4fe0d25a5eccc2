"""Paths: where they lead, and what is made and removed at their ends."""

from __future__ import annotations

import pytest

from rlm_kernel.emscripten import Errno, FileSystem, Quota, Symlink, expect_directory
from rlm_kernel.emscripten.filesystem import NAME_MAX, PATH_MAX, SYMLINKS_MAX
from tests.emscripten.failing import fails
from tests.emscripten.tree import content, listing, tree


@pytest.fixture
def files() -> FileSystem:
    return tree(
        "a/b/",
        "a/file",
        "a/b/deep",
        "to-file -> a/file",
        "to-dir -> a/b",
        "to-link -> to-dir",
        "absolute -> /a/b/deep",
        "up -> a/b/../file",
        "nowhere -> a/missing",
        "loop -> loop",
        "ping -> pong",
        "pong -> ping",
    )


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("a/file", "a/file"),
        ("/a/file", "a/file"),
        ("//a///file", "a/file"),
        ("./a/./file", "a/file"),
        ("a/b/../file", "a/file"),
        ("../../a/file", "a/file"),
        ("to-file", "a/file"),
        ("to-dir/deep", "a/b/deep"),
        ("to-dir/../file", "a/file"),
        ("to-link/deep", "a/b/deep"),
        ("absolute", "a/b/deep"),
        ("up", "a/file"),
        ("a/b/../../to-link/../b/./deep", "a/b/deep"),
    ],
)
def test_a_path_leads_to_a_file(files: FileSystem, path: str, target: str) -> None:
    assert content(files, path) == target


@pytest.mark.parametrize("path", ["/", ".", "..", "/.", "/..", "a/..", "a/b/../..", "///", "./"])
def test_a_path_leads_to_the_root(files: FileSystem, path: str) -> None:
    assert files.resolve(path) is files.root


@pytest.mark.parametrize(
    "path", ["a/b", "a/b/", "a/b/.", "a/b//", "to-dir", "to-link/", "a/b/../b"]
)
def test_a_path_leads_to_a_directory(files: FileSystem, path: str) -> None:
    assert files.resolve(path) is files.resolve("a/b")


@pytest.mark.parametrize(
    ("path", "errno"),
    [
        ("", Errno.ENOENT),
        ("missing", Errno.ENOENT),
        ("missing/", Errno.ENOENT),
        ("missing/.", Errno.ENOENT),
        ("missing/..", Errno.ENOENT),
        ("a/missing/file", Errno.ENOENT),
        ("nowhere", Errno.ENOENT),
        ("nowhere/", Errno.ENOENT),
        ("a/file/", Errno.ENOTDIR),
        ("a/file/.", Errno.ENOTDIR),
        ("a/file/..", Errno.ENOTDIR),
        ("a/file/x", Errno.ENOTDIR),
        ("to-file/", Errno.ENOTDIR),
        ("to-file/..", Errno.ENOTDIR),
        ("loop", Errno.ELOOP),
        ("loop/x", Errno.ELOOP),
        ("loop/", Errno.ELOOP),
        ("ping", Errno.ELOOP),
        ("x" * (NAME_MAX + 1), Errno.ENAMETOOLONG),
        ("x" * (NAME_MAX + 1) + "/y", Errno.ENAMETOOLONG),
        ("é" * (NAME_MAX // 2 + 1), Errno.ENAMETOOLONG),
        ("x" * NAME_MAX, Errno.ENOENT),
        ("/." * (PATH_MAX // 2), Errno.ENAMETOOLONG),
    ],
)
def test_a_path_that_leads_nowhere_says_why(files: FileSystem, path: str, errno: Errno) -> None:
    with fails(errno):
        files.resolve(path)
    assert not files.exists(path)


def test_the_longest_path_is_followed(files: FileSystem) -> None:
    assert files.resolve("/" * (PATH_MAX - 2) + "a") is files.resolve("a")


def test_a_final_link_is_only_followed_where_it_is_wanted(files: FileSystem) -> None:
    for path in ("to-dir", "nowhere", "loop"):
        assert isinstance(files.resolve(path, follow=False), Symlink)
    assert files.resolve("to-dir/", follow=False) is files.resolve("a/b")


def test_a_path_starts_where_it_is_told_to(files: FileSystem) -> None:
    start = expect_directory(files.resolve("a/b"))
    assert files.resolve("deep", start) is files.resolve("/a/b/deep")
    assert files.resolve("..", start) is files.resolve("/a")
    assert files.resolve("/a", start) is files.resolve("a")
    with fails(Errno.ENOENT):
        files.resolve("a", start)


@pytest.mark.parametrize(("links", "works"), [(SYMLINKS_MAX, True), (SYMLINKS_MAX + 1, False)])
def test_a_chain_of_links_has_a_longest_length(links: int, works: bool) -> None:
    chain = [f"{number} -> {number + 1}" for number in range(links)]
    files = tree(*chain, f"{links}")
    assert files.exists("0") is works


def test_links_count_wherever_they_are_in_a_path() -> None:
    files = tree("here -> .", "file")
    assert files.exists("here/" * SYMLINKS_MAX + "file")
    with fails(Errno.ELOOP):
        files.resolve("here/" * (SYMLINKS_MAX + 1) + "file")


def test_a_path_is_located_by_its_parent_and_its_name(files: FileSystem) -> None:
    parent = files.resolve("a/b")
    assert files.locate("a/b/new") == (parent, "new")
    assert files.locate("to-dir/new/") == (parent, "new")
    assert files.locate("to-dir") == (files.root, "to-dir")


@pytest.mark.parametrize("path", ["/", "//", ".", "..", "a/.", "a/..", "a/./"])
def test_what_has_no_name_cannot_be_located(files: FileSystem, path: str) -> None:
    with fails(Errno.ENOTEMPTY):
        files.locate(path, nameless=Errno.ENOTEMPTY)


def test_a_file_is_created_where_a_dangling_link_points_to(files: FileSystem) -> None:
    assert files.locate_target("nowhere") == (files.resolve("a"), "missing")
    with fails(Errno.EISDIR):
        files.locate_target("new/")


def test_directories_are_made_once_with_the_parents_they_need(files: FileSystem) -> None:
    made = files.make_directories("/x/y/../z/./to")
    assert listing(files)[-4:] == ["x/", "x/y/", "x/z/", "x/z/to/"]
    assert files.make_directories("x//z/to/") is made
    assert files.make_directories("/to-dir/new") is files.resolve("a/b/new")


@pytest.mark.parametrize(
    ("path", "errno"),
    [
        ("a/file/x", Errno.ENOTDIR),
        ("nowhere/x", Errno.ENOENT),
        ("x" * 256, Errno.ENAMETOOLONG),
    ],
)
def test_directories_that_cannot_be_made(files: FileSystem, path: str, errno: Errno) -> None:
    with fails(errno):
        files.make_directories(path)


@pytest.mark.parametrize(
    ("path", "errno"),
    [
        ("", Errno.ENOENT),
        ("/", Errno.EEXIST),
        (".", Errno.EEXIST),
        ("a", Errno.EEXIST),
        ("a/b/..", Errno.EEXIST),
        ("a/file", Errno.EEXIST),
        ("a/file/", Errno.EEXIST),
        ("nowhere", Errno.EEXIST),
        ("nowhere/", Errno.EEXIST),
        ("missing/x", Errno.ENOENT),
        ("missing/.", Errno.ENOENT),
        ("a/file/x", Errno.ENOTDIR),
    ],
)
def test_a_directory_that_cannot_be_made(files: FileSystem, path: str, errno: Errno) -> None:
    before = listing(files)
    with fails(errno):
        files.make_directory(path)
    assert listing(files) == before


def test_a_directory_may_be_named_with_a_slash_and_a_file_may_not(files: FileSystem) -> None:
    files.make_directory("new/")
    with fails(Errno.ENOENT):
        files.make_file("other/", None, 0o644)
    with fails(Errno.ENOENT):
        files.make_symlink("other/", None, "a")
    with fails(Errno.EEXIST):
        files.make_file("a/file/", None, 0o644)


def test_a_link_needs_a_target(files: FileSystem) -> None:
    with fails(Errno.ENOENT):
        files.make_symlink("link", None, "")


@pytest.mark.parametrize(
    ("path", "errno"),
    [
        ("", Errno.ENOENT),
        ("missing", Errno.ENOENT),
        ("/", Errno.EISDIR),
        ("a/b", Errno.EISDIR),
        ("a/b/", Errno.EISDIR),
        ("a/.", Errno.EISDIR),
        ("a/..", Errno.EISDIR),
        ("a/file/", Errno.ENOTDIR),
        ("to-dir/", Errno.ENOTDIR),
        ("a/file/x", Errno.ENOTDIR),
    ],
)
def test_what_cannot_be_unlinked(files: FileSystem, path: str, errno: Errno) -> None:
    before = listing(files)
    with fails(errno):
        files.unlink(path)
    assert listing(files) == before


def test_a_link_is_unlinked_itself(files: FileSystem) -> None:
    files.unlink("to-file")
    assert not files.exists("to-file")
    assert files.exists("a/file")


@pytest.mark.parametrize(
    ("path", "errno"),
    [
        ("", Errno.ENOENT),
        ("missing", Errno.ENOENT),
        ("/", Errno.EBUSY),
        ("a", Errno.ENOTEMPTY),
        ("a/b/.", Errno.EINVAL),
        ("a/b/..", Errno.ENOTEMPTY),
        ("a/file", Errno.ENOTDIR),
        ("to-dir", Errno.ENOTDIR),
        ("to-dir/", Errno.ENOTDIR),
    ],
)
def test_what_cannot_be_removed_as_a_directory(files: FileSystem, path: str, errno: Errno) -> None:
    before = listing(files)
    with fails(errno):
        files.remove_directory(path)
    assert listing(files) == before


@pytest.mark.parametrize("name", ["ends..", "..starts", "..."])
def test_dots_in_a_name_mean_nothing(files: FileSystem, name: str) -> None:
    files.make_directory(name)
    files.remove_directory(name + "/")
    assert not files.exists(name)


def test_links_to_a_directory_are_its_names_in_the_tree(files: FileSystem) -> None:
    a = files.resolve("a")
    assert (a.links, files.resolve("a/b").links) == (3, 2)
    files.make_directory("a/c")
    assert a.links == 4
    files.remove_directory("a/c")
    assert a.links == 3


def test_nothing_is_made_in_a_directory_that_was_removed(files: FileSystem) -> None:
    gone = files.make_directory("gone")
    files.remove_directory("gone")
    for make in (
        lambda: files.make_directory("x", gone),
        lambda: files.make_file("x", gone, 0o644),
        lambda: files.make_symlink("x", gone, "a"),
        lambda: files.rename("/a/file", "x", None, gone),
    ):
        with fails(Errno.ENOENT):
            make()
    assert content(files, "a/file") == "a/file"


def test_a_removed_directory_has_no_path(files: FileSystem) -> None:
    gone = files.make_directory("gone")
    assert files.path_of(gone) == "/gone"
    files.remove_directory("gone")
    with fails(Errno.ENOENT):
        files.path_of(gone)
    assert files.resolve(".", gone) is gone
    assert gone.links == 0


def test_a_path_is_made_of_the_names_from_the_root(files: FileSystem) -> None:
    assert files.path_of(files.root) == "/"
    assert files.path_of(expect_directory(files.resolve("to-link"))) == "/a/b"


def test_names_take_room_and_give_it_back(files: FileSystem) -> None:
    before, room = files.quota.left, files.quota.files_left
    files.make_directory("d")
    files.make_symlink("d/link", None, "x" * 500)
    files.make_file("d/file", None, 0o644).write_at(0, b"x" * 700)
    assert (files.quota.left, files.quota.files_left) == (before - 1200, room - 3)
    files.rename("d/file", "d/other")
    files.unlink("d/link")
    files.unlink("d/other")
    files.remove_directory("d")
    assert (files.quota.left, files.quota.files_left) == (before, room)


def test_there_is_an_end_to_the_number_of_names() -> None:
    files = FileSystem(Quota(files=3))
    files.make_file("empty", None, 0o644)
    files.make_symlink("link", None, "empty")
    files.make_directory("d")
    for make in (files.make_directory, lambda name: files.make_symlink(name, None, "t")):
        with fails(Errno.ENOSPC):
            make("too many")
    with fails(Errno.ENOSPC):
        files.make_file("too many", None, 0o644)
    assert listing(files) == ["d/", "empty", "link -> empty"]
    files.rename("empty", "d/moved")
    files.unlink("link")
    files.make_file("fits", None, 0o644)


def test_a_link_that_has_no_room_takes_none() -> None:
    files = FileSystem(Quota(10, files=1))
    with fails(Errno.ENOSPC):
        files.make_symlink("link", None, "x" * 11)
    assert (files.quota.left, files.quota.files_left) == (10, 1)


def test_what_is_there_before_the_room_is_allowed_takes_none_of_it(files: FileSystem) -> None:
    files.add_image({"/lib/x/file": b"content"})
    files.quota.allow(100, 1)
    with fails(Errno.ENOSPC):
        files.make_file("large", None, 0o644).write_at(0, bytes(101))
    assert (files.quota.left, files.quota.files_left) == (100, 0)
    files.unlink("large")
    assert (files.quota.left, files.quota.files_left) == (100, 1)


def test_a_replaced_file_gives_its_room_back(files: FileSystem) -> None:
    files.make_file("large", None, 0o644).write_at(0, b"x" * 5000)
    before = files.quota.left
    files.rename("a/file", "large")
    assert files.quota.left == before + 5000
    assert content(files, "large") == "a/file"


def test_an_image_is_shared_and_its_folders_are_made() -> None:
    files = FileSystem()
    image = memoryview(b"shared")
    files.add_image({"/lib/x/file": image, "/lib/x/other": b"", "/top": image})
    assert listing(files) == ["lib/", "lib/x/", "lib/x/file", "lib/x/other", "top"]
    assert content(files, "/lib/x/file") == "shared"


def test_an_image_takes_no_name_that_is_taken(files: FileSystem) -> None:
    with fails(Errno.EEXIST):
        files.add_image({"/a/file": b"other"})
    assert content(files, "a/file") == "a/file"
