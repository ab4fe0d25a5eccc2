"""The file service: requests that make no sense are answered, whatever is wrong with them."""

from __future__ import annotations

from typing import Any

import pytest

from rlm_kernel.emscripten.filesystem import FileSystem
from rlm_kernel.emscripten.nodes import expect_file
from rlm_kernel.guest.frames import FRAME_MAX, Frame
from rlm_kernel.sandbox.file_service import LIST_MAX, FileService
from tests.emscripten.tree import content

HOME = "/home/user"


@pytest.fixture
def files() -> FileSystem:
    files = FileSystem()
    files.make_directories(HOME)
    return files


@pytest.fixture
def service(files: FileSystem) -> FileService:
    return FileService(files, HOME)


def ask(service: FileService, kind: str, fields: dict[str, Any], *data: bytes) -> Frame:
    answer = service(Frame(kind, "r", fields, data))
    assert answer is not None
    assert (answer.kind, answer.request_id) == ("file_reply", "r")
    return answer


def put(
    service: FileService, path: object, data: bytes, offset: int = 0, *, last: bool = True
) -> dict[str, Any]:
    fields = {"path": path, "upload": "u", "offset": offset, "last": last}
    return ask(service, "put_file", fields, data).content


@pytest.mark.parametrize("path", ["\ud800", "\ud800/x", "a\0b", 3, None])
def test_what_is_no_path_is_refused_and_leaves_nothing(
    files: FileSystem, service: FileService, path: object
) -> None:
    assert put(service, path, b"1") == {"error": "EINVAL"}
    assert not files.make_directories(HOME).entries


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("put_file", {}),
        ("put_file", {"path": "no data", "upload": "u", "offset": 0, "last": True}),
        ("drop_file", {}),
        ("get_file", {"path": "there"}),
        ("get_file", {"path": "there", "offset": "0", "length": 1}),
        ("get_file", {"path": "there", "offset": -1, "length": 1}),
        ("list_files", {"path": "."}),
        ("list_files", {"path": ".", "after": -1, "count": 1}),
        ("list_files", {"path": ".", "after": 0, "count": "1"}),
        ("list_files", {"path": 1, "after": 0, "count": 1}),
        ("make_folder", {}),
        ("make_link", {"path": "link"}),
        ("make_link", {"path": "link", "target": 1}),
        ("make_link", {"path": "link", "target": "a\0b"}),
        ("make_link", {"path": "link", "target": "\ud800"}),
        ("remove_file", {}),
        ("remove_file", {"path": "a\0b"}),
    ],
)
def test_a_request_of_a_wrong_form_is_refused(
    service: FileService, kind: str, fields: dict[str, Any]
) -> None:
    put(service, "there", b"data")
    assert ask(service, kind, fields).content == {"error": "EINVAL"}


def test_trouble_that_nobody_foresaw_is_an_answer_too(
    files: FileSystem, service: FileService, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: str) -> None:
        raise RuntimeError

    monkeypatch.setattr(files, "make_directories", fail)
    assert put(service, "x", b"1") == {"error": "EIO"}


def test_no_answer_is_larger_than_a_frame(service: FileService) -> None:
    put(service, "large", bytes(FRAME_MAX // 2), last=False)
    put(service, "large", bytes(FRAME_MAX // 2), FRAME_MAX // 2)
    answer = ask(service, "get_file", {"path": "large", "offset": 0, "length": 1 << 40})
    assert answer.content["size"] == FRAME_MAX
    assert len(answer.encode()) <= FRAME_MAX


def test_a_file_appears_with_its_last_piece_in_place_of_the_old_one(
    files: FileSystem, service: FileService
) -> None:
    put(service, "d/file", b"old")
    expect_file(files.resolve(f"{HOME}/d/file")).permissions = 0o600
    put(service, "d/file", b"n", last=False)
    assert content(files, f"{HOME}/d/file") == "old"
    assert put(service, "d/file", b"ew", 1) == {"size": 3}
    assert content(files, f"{HOME}/d/file") == "new"
    assert files.resolve(f"{HOME}/d/file").permissions == 0o600


def test_what_was_dropped_leaves_no_name_and_takes_no_room(
    files: FileSystem, service: FileService
) -> None:
    room = files.quota.left
    put(service, "d/file", b"half", last=False)
    assert files.quota.left == room - 4
    for _ in range(2):
        ask(service, "drop_file", {"path": "d/file", "upload": "u"})
    assert (files.quota.left, files.exists(f"{HOME}/d")) == (room, False)
    assert put(service, "d/file", b"more", 4) == {"error": "ESTALE"}


def test_a_piece_that_does_not_fit_leaves_what_was_there(
    files: FileSystem, service: FileService
) -> None:
    put(service, "file", b"old")
    files.quota.allow(5, 5)
    put(service, "file", b"12345", last=False)
    assert put(service, "file", b"6", 5) == {"error": "ENOSPC"}
    assert (content(files, f"{HOME}/file"), files.quota.left) == ("old", 5)


def test_a_file_written_through_a_link_leaves_the_link(
    files: FileSystem, service: FileService
) -> None:
    files.make_symlink(f"{HOME}/link", None, "target")
    put(service, "link", b"data")
    assert content(files, f"{HOME}/target") == content(files, f"{HOME}/link") == "data"


def listed(service: FileService, path: str, after: int, count: int) -> tuple[list[str], int]:
    answer = ask(service, "list_files", {"path": path, "after": after, "count": count}).content
    return [entry[0] for entry in answer["entries"]], answer["next"]


def test_a_folder_is_listed_in_pages_whatever_comes_and_goes(service: FileService) -> None:
    for name in "abcd":
        put(service, name, b"")
    first, cursor = listed(service, ".", 0, 2)
    ask(service, "remove_file", {"path": "a"})
    ask(service, "remove_file", {"path": "c"})
    put(service, "e", b"")
    second, end = listed(service, ".", cursor, 1000)
    assert (first, second, end) == (["a", "b"], ["d", "e"], 0)
    assert listed(service, ".", 1 << 53, 2) == ([], 0)
    assert listed(service, "/", 0, 10) == (["home"], 0)


def test_no_page_is_longer_than_one_answer_may_be(service: FileService) -> None:
    for number in range(LIST_MAX + 1):
        put(service, str(number), b"")
    page, cursor = listed(service, ".", 0, 1 << 40)
    assert (len(page), listed(service, ".", cursor, 10)) == (LIST_MAX, ([str(LIST_MAX)], 0))


def test_an_entry_says_what_is_there_and_follows_no_link(
    files: FileSystem, service: FileService
) -> None:
    put(service, "folder/file", b"data")
    files.make_symlink(f"{HOME}/link", None, "folder/file")
    node = expect_file(files.resolve(f"{HOME}/folder/file"))
    node.permissions, node.modified = 0o600, 1 << 100
    entries = ask(service, "list_files", {"path": ".", "after": 0, "count": 9}).content["entries"]
    folder, link = ([*entry[:4], entry[5]] for entry in entries)
    assert folder == ["folder", "directory", 4096, 0o755, ""]
    assert link == ["link", "link", 11, 0o777, "folder/file"]
    inside = ask(service, "list_files", {"path": "folder", "after": 0, "count": 9}).content
    assert inside == {"entries": [["file", "file", 4, 0o600, 1 << 63, ""]], "next": 0}


def test_a_file_that_was_changed_has_another_version(
    files: FileSystem, service: FileService
) -> None:
    def version() -> str:
        asked = {"path": "file", "offset": 0, "length": 0}
        return str(ask(service, "get_file", asked).content["version"])

    put(service, "file", b"1")
    node, before = expect_file(files.resolve(f"{HOME}/file")), version()
    assert version() == before
    node.write_at(1, b"2")
    assert version() != before
    put(service, "file", b"1")
    assert version() != before


def test_what_relative_paths_start_at_cannot_be_removed(
    files: FileSystem, service: FileService
) -> None:
    put(service, "file", b"")
    files.make_symlink("/link", None, HOME)
    for path in (".", "", HOME, "/home", "/link/.", "/", "/home/user/../user"):
        error = ask(service, "remove_file", {"path": path}).content["error"]
        assert error == "EBUSY", path
    assert files.exists(f"{HOME}/file")
    assert ask(service, "remove_file", {"path": "/link"}).content == {}
    assert files.exists(f"{HOME}/file")
    files.remove_tree("/home")
    assert ask(service, "remove_file", {"path": "/none"}).content == {"error": "ENOENT"}


def test_folders_are_made_once_and_links_in_place_of_files(
    files: FileSystem, service: FileService
) -> None:
    for _ in range(2):
        assert ask(service, "make_folder", {"path": "a/b"}).content == {}
        assert ask(service, "make_link", {"path": "c/link", "target": "../x"}).content == {}
    put(service, "x", b"data")
    assert content(files, f"{HOME}/c/link") == "data"
    assert ask(service, "make_link", {"path": "x", "target": "y"}).content == {}
    assert ask(service, "make_folder", {"path": "x"}).content == {"error": "ENOENT"}
    for path in ("a", "/", ""):
        error = ask(service, "make_link", {"path": path, "target": "y"}).content["error"]
        assert error in ("EEXIST", "EBUSY", "EISDIR"), path


@pytest.mark.parametrize("target", ["", "x" * 4096])
def test_a_link_that_leads_nowhere_is_refused(service: FileService, target: str) -> None:
    error = ask(service, "make_link", {"path": "link", "target": target}).content["error"]
    assert error in ("ENOENT", "ENAMETOOLONG")
