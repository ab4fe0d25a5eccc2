"""Files in and out of a session."""

from __future__ import annotations

import os

import pytest

from rlm_kernel.errors import FileError, FileMissing
from rlm_kernel.sandbox import Sandbox


def test_a_file_put_is_there_for_the_code_and_comes_back(shared_box: Sandbox) -> None:
    data = os.urandom(10_000_000)
    shared_box.put_file("data/in.bin", data)
    assert shared_box.execute("len(open('data/in.bin', 'rb').read())").result == "10000000"
    assert shared_box.get_file("/home/user/data/in.bin") == data


def test_a_file_put_again_replaces_the_first(shared_box: Sandbox) -> None:
    shared_box.put_file("twice", b"first and long")
    shared_box.put_file("twice", b"second")
    assert shared_box.get_file("twice") == b"second"


def test_an_empty_file_is_a_file(shared_box: Sandbox) -> None:
    shared_box.put_file("empty", b"")
    assert shared_box.get_file("empty") == b""


def test_what_code_writes_can_be_fetched(shared_box: Sandbox) -> None:
    shared_box.execute("import pathlib; pathlib.Path('/tmp/out').write_text('é')")
    assert shared_box.get_file("/tmp/out") == "é".encode()


def test_a_missing_file_is_an_error_of_its_own(shared_box: Sandbox) -> None:
    with pytest.raises(FileMissing, match="nowhere: there is no such file"):
        shared_box.get_file("nowhere")


@pytest.mark.parametrize("path", ["/tmp", "/home/user/twice/deeper", "/dev/null"])
def test_what_is_no_file_cannot_be_written(shared_box: Sandbox, path: str) -> None:
    shared_box.put_file("twice", b"")
    with pytest.raises(FileError):
        shared_box.put_file(path, b"data")


def test_a_file_over_the_quota_is_refused_and_the_session_goes_on(box: Sandbox) -> None:
    code = "with open('big', 'wb') as f:\n    f.truncate(10**12)"
    error = box.execute(code).error
    assert error is not None
    assert (error.ename, box.execute("1").result) == ("OSError", "1")
