"""The file service: requests that make no sense are answered, whatever is wrong with them."""

from __future__ import annotations

from typing import Any

import pytest

from rlm_kernel.emscripten.filesystem import FileSystem
from rlm_kernel.emscripten.nodes import expect_file
from rlm_kernel.guest.frames import FRAME_MAX, Frame
from rlm_kernel.sandbox.file_service import FileService
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
    assert answer.content == {"size": FRAME_MAX}
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
