"""The file service: requests that make no sense are answered, whatever is wrong with them."""

from __future__ import annotations

from typing import Any

import pytest

from rlm_kernel.emscripten.filesystem import FileSystem
from rlm_kernel.guest.frames import FRAME_MAX, Frame
from rlm_kernel.sandbox.file_service import FileService

HOME = "/home/user"


@pytest.fixture
def files() -> FileSystem:
    files = FileSystem()
    files.make_directories(HOME)
    return files


def ask(files: FileSystem, kind: str, content: dict[str, Any], *data: bytes) -> Frame:
    answer = FileService(files, HOME)(Frame(kind, "r", content, data))
    assert answer is not None
    assert (answer.kind, answer.request_id) == ("file_reply", "r")
    return answer


@pytest.mark.parametrize("path", ["\ud800", "\ud800/x", "a\0b", 3, None])
def test_what_is_no_path_is_refused_and_leaves_nothing(files: FileSystem, path: object) -> None:
    assert ask(files, "put_file", {"path": path}, b"1").content == {"error": "EINVAL"}
    assert not files.make_directories(HOME).entries


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("put_file", {}),
        ("put_file", {"path": "no data"}),
        ("get_file", {"path": "there"}),
        ("get_file", {"path": "there", "offset": "0", "length": 1}),
        ("get_file", {"path": "there", "offset": -1, "length": 1}),
    ],
)
def test_a_request_of_a_wrong_form_is_refused(
    files: FileSystem, kind: str, content: dict[str, Any]
) -> None:
    ask(files, "put_file", {"path": "there"}, b"data")
    assert ask(files, kind, content).content == {"error": "EINVAL"}


def test_trouble_that_nobody_foresaw_is_an_answer_too(
    files: FileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: str) -> None:
        raise RuntimeError

    monkeypatch.setattr(files, "make_directories", fail)
    assert ask(files, "put_file", {"path": "x"}, b"1").content == {"error": "EIO"}


def test_no_answer_is_larger_than_a_frame(files: FileSystem) -> None:
    for _ in range(2):
        ask(files, "put_file", {"path": "large", "append": True}, bytes(FRAME_MAX // 2))
    answer = ask(files, "get_file", {"path": "large", "offset": 0, "length": 1 << 40})
    assert answer.content == {"size": FRAME_MAX}
    assert len(answer.encode()) <= FRAME_MAX
