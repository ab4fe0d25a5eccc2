"""How archives come into the cache."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from rlm_kernel.errors import FetchError, IntegrityError
from rlm_kernel.progress import SILENT
from rlm_kernel.pyodide.packages.fetching import archive_path, fetch_archives
from rlm_kernel.pyodide.packages.locked import LockedWheel
from tests.fileserver import FileServer, serving
from tests.packages import write_wheel

pytestmark = pytest.mark.usefixtures("cache")

CONTENT = b"an archive"


def wheel(origin: str = "", sha256: str | None = None) -> LockedWheel:
    digest = hashlib.sha256(CONTENT).hexdigest() if sha256 is None else sha256
    return LockedWheel("thing", "1.0", "thing-1.0-py3-none-any.whl", digest, origin)


def test_an_archive_comes_from_the_web_once() -> None:
    with serving(FileServer(CONTENT)) as server:
        wanted = wheel(f"{server.url}thing-1.0-py3-none-any.whl")
        for _ in range(2):
            assert fetch_archives([wanted], SILENT) == (wanted,)
        assert len(server.requests) == 1
    assert archive_path(wanted).read_bytes() == CONTENT


@pytest.mark.parametrize("origin", ["{path}", "file://{path}"])
def test_an_archive_of_the_users_own_is_copied(tmp_path: Path, origin: str) -> None:
    (tmp_path / "mine.whl").write_bytes(CONTENT)
    wanted = wheel(origin.format(path=tmp_path / "mine.whl"))
    fetch_archives([wanted], SILENT)
    (tmp_path / "mine.whl").unlink()
    assert fetch_archives([wanted], SILENT) == (wanted,)


def test_an_archive_comes_through_pip(index: Path) -> None:
    digest = write_wheel(index, "thing", {}).partition("sha256:")[2].strip()
    (found,) = fetch_archives([wheel(sha256=digest)], SILENT)
    assert hashlib.sha256(archive_path(found).read_bytes()).hexdigest() == digest


def test_an_archive_without_a_hash_has_one_afterwards(tmp_path: Path) -> None:
    (tmp_path / "mine.whl").write_bytes(CONTENT)
    wanted = wheel(str(tmp_path / "mine.whl"), "")
    (found,) = fetch_archives([wanted], SILENT)
    assert found == replace(wanted, sha256=hashlib.sha256(CONTENT).hexdigest())


def test_other_bytes_than_are_pinned_are_refused(index: Path, tmp_path: Path) -> None:
    write_wheel(index, "thing", {})
    (tmp_path / "mine.whl").write_bytes(CONTENT)
    with serving(FileServer(CONTENT)) as server:
        for origin in ("", str(tmp_path / "mine.whl"), server.url):
            wanted = wheel(origin, "0" * 64)
            with pytest.raises(IntegrityError, match=f"and not {'0' * 64}"):
                fetch_archives([wanted], SILENT)
            assert not archive_path(wanted).exists()


def test_a_damaged_archive_in_the_cache_is_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "mine.whl").write_bytes(CONTENT)
    wanted = wheel(str(tmp_path / "mine.whl"))
    fetch_archives([wanted], SILENT)
    archive_path(wanted).write_bytes(b"broken")
    fetch_archives([wanted], SILENT)
    assert archive_path(wanted).read_bytes() == CONTENT


def test_an_archive_that_cannot_be_had_is_told() -> None:
    with (
        serving(FileServer(CONTENT, status=404)) as server,
        pytest.raises(FetchError, match=r"cannot be fetched: .*404"),
    ):
        fetch_archives([wheel(server.url)], SILENT)
    with pytest.raises(FetchError, match="cannot be fetched"):
        fetch_archives([wheel(server.url)], SILENT)
    with pytest.raises(FetchError, match=r"/gone\.whl cannot be read: No such file"):
        fetch_archives([wheel("/gone.whl")], SILENT)
