"""Downloads by HTTP: resumed, verified, one at a time."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rlm_kernel.download import PinnedFile
from rlm_kernel.errors import FetchError, IntegrityError
from rlm_kernel.progress import SILENT
from rlm_kernel.web import WebSource
from tests.fileserver import FileServer, serving

CONTENT = bytes(range(256)) * 1000
PINNED = PinnedFile("file", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())

OBTAIN = """
import sys
from pathlib import Path
from rlm_kernel.download import PinnedFile, obtain
from rlm_kernel.progress import Lines
from rlm_kernel.web import WebSource
url, directory, size, sha256 = sys.argv[1:]
pinned = PinnedFile("file", int(size), sha256)
obtain([pinned], Path(directory), [WebSource(url)], Lines(sys.stdout))
"""


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving(FileServer(CONTENT)) as server:
        yield server


def fetch(server: FileServer, directory: Path) -> None:
    WebSource(server.url).deliver([PINNED], directory, SILENT)


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_file_is_downloaded(server: FileServer, tmp_path: Path) -> None:
    fetch(server, tmp_path)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert names(tmp_path) == ["file"]


def test_an_attempt_that_ended_early_is_taken_up_where_it_stopped(
    server: FileServer, tmp_path: Path
) -> None:
    server.cuts = [100_000, 0]
    with pytest.raises(FetchError):
        fetch(server, tmp_path)
    assert names(tmp_path) == ["file.partial"]
    fetch(server, tmp_path)
    assert server.requests == [None, "bytes=100000-", "bytes=100000-"]
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert names(tmp_path) == ["file"]


def test_a_line_that_breaks_now_and_then_still_brings_the_file(
    server: FileServer, tmp_path: Path
) -> None:
    server.cuts = [100_000, 50_000]
    fetch(server, tmp_path)
    assert server.requests == [None, "bytes=100000-", "bytes=150000-"]
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_server_without_ranges_sends_all_again(server: FileServer, tmp_path: Path) -> None:
    server.ranges = False
    (tmp_path / "file.partial").write_bytes(CONTENT[:1000])
    fetch(server, tmp_path)
    assert (tmp_path / "file").read_bytes() == CONTENT


@pytest.mark.parametrize("size", [1000, len(CONTENT), len(CONTENT) + 1000])
def test_what_an_earlier_attempt_left_is_given_up_if_it_is_bad(
    server: FileServer, tmp_path: Path, size: int
) -> None:
    (tmp_path / "file.partial").write_bytes(b"x" * size)
    fetch(server, tmp_path)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_whole_partial_file_needs_no_request(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "file.partial").write_bytes(CONTENT)
    fetch(server, tmp_path)
    assert server.requests == []
    assert (tmp_path / "file").read_bytes() == CONTENT


@pytest.mark.parametrize("wrong", [CONTENT[::-1], CONTENT + b"more"])
def test_wrong_bytes_are_refused_and_not_kept(
    server: FileServer, tmp_path: Path, wrong: bytes
) -> None:
    server.content = wrong
    with pytest.raises(IntegrityError, match="file"):
        fetch(server, tmp_path)
    assert names(tmp_path) == []


def test_a_file_that_is_too_short_is_refused(server: FileServer, tmp_path: Path) -> None:
    server.content = CONTENT[:500]
    with pytest.raises(FetchError, match="ended after 500 bytes"):
        fetch(server, tmp_path)


def test_another_range_than_was_asked_for_is_refused(server: FileServer, tmp_path: Path) -> None:
    server.content_range = f"bytes 7-{len(CONTENT) - 1}/{len(CONTENT)}"
    (tmp_path / "file.partial").write_bytes(CONTENT[:1000])
    with pytest.raises(FetchError, match="another range"):
        fetch(server, tmp_path)


def test_a_refusal_is_reported_with_its_status(server: FileServer, tmp_path: Path) -> None:
    server.status = 404
    with pytest.raises(FetchError, match="HTTP 404 Not Found"):
        fetch(server, tmp_path)
    assert names(tmp_path) == []


def test_a_redirection_is_followed(server: FileServer, tmp_path: Path) -> None:
    server.location = "/moved"
    fetch(server, tmp_path)
    assert (tmp_path / "file").read_bytes() == CONTENT


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "http://[broken/"])
def test_a_server_that_cannot_be_reached_is_a_fetch_error(tmp_path: Path, url: str) -> None:
    with pytest.raises(FetchError):
        WebSource(url).deliver([PINNED], tmp_path, SILENT)
    assert names(tmp_path) == []


def start(server: FileServer, directory: Path) -> subprocess.Popen[str]:
    arguments = [server.url, str(directory), str(PINNED.size), PINNED.sha256]
    return subprocess.Popen(
        [sys.executable, "-c", OBTAIN, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_ctrl_c_leaves_only_what_the_next_attempt_goes_on_from(
    server: FileServer, tmp_path: Path
) -> None:
    server.stalls = True
    with start(server, tmp_path) as process:
        assert server.stalled.wait(60)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode != 0
    assert set(names(tmp_path)) <= {"file.lock", "file.partial"}
    server.stalls = False
    fetch(server, tmp_path)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_of_two_processes_one_downloads_and_the_other_finds_it_done(
    server: FileServer, tmp_path: Path
) -> None:
    server.cuts = [100_000]
    with start(server, tmp_path) as one, start(server, tmp_path) as other:
        said = [process.communicate(timeout=60)[0] for process in (one, other)]
    assert [one.returncode, other.returncode] == [0, 0]
    assert server.requests == [None, "bytes=100000-"]
    assert sum("fetching file" in text for text in said) == 1
    assert (tmp_path / "file").read_bytes() == CONTENT
