"""The cache directory: private, locked while it changes, never half written."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rlm_kernel.cache import (
    keep_newest,
    locked,
    open_private,
    private_directory,
    replacing,
    workspace,
)
from rlm_kernel.errors import CacheError
from rlm_kernel.progress import SILENT, Silence

HOLD_LOCK = """
import sys
from pathlib import Path
from rlm_kernel.cache import locked
from rlm_kernel.progress import SILENT
with locked(Path(sys.argv[1]), SILENT):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RLM_KERNEL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_cache_directory_is_for_its_user_only(cache: Path) -> None:
    before = os.umask(0)
    try:
        directory = private_directory("compiled")
    finally:
        os.umask(before)
    assert directory == cache / "compiled"
    assert [mode(cache), mode(directory)] == [0o700, 0o700]


@pytest.mark.parametrize("bits", [0o720, 0o702])
@pytest.mark.parametrize("name", [".", "compiled"])
def test_a_directory_that_others_can_write_is_refused(cache: Path, name: str, bits: int) -> None:
    private_directory("compiled")
    (cache / name).chmod(bits)
    with pytest.raises(CacheError, match="can be written by others"):
        private_directory("compiled")


def test_a_directory_of_another_user_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    private_directory("compiled")
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    monkeypatch.setattr("rlm_kernel.cache.SUPERUSER", 4343)
    with pytest.raises(CacheError, match="not to user 4242"):
        private_directory("compiled")


def test_a_directory_and_a_file_of_the_superuser_are_the_users_as_well(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = private_directory("compiled") / "code"
    path.write_bytes(b"code")
    monkeypatch.setattr("rlm_kernel.cache.SUPERUSER", os.geteuid())
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    assert private_directory("compiled") == path.parent
    with open_private(path) as file:
        assert file.read() == b"code"


def test_a_cache_that_cannot_be_made_is_an_error_that_names_it(cache: Path) -> None:
    cache.write_text("a file in the way")
    with pytest.raises(CacheError, match=str(cache)):
        private_directory("compiled")


def test_a_file_that_others_can_write_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "code"
    path.write_bytes(b"code")
    path.chmod(0o606)
    with pytest.raises(CacheError, match="can be written by others"), open_private(path):
        pass


def test_a_private_file_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "code"
    path.write_bytes(b"code")
    path.chmod(0o644)
    with open_private(path) as file:
        assert file.read() == b"code"


class Waiting(Silence):
    """Does something when it hears that a lock is waited for."""

    def __init__(self, act: Callable[[], None]) -> None:
        self.lines: list[str] = []
        self._act = act

    def say(self, line: str) -> None:
        self.lines.append(line)
        self._act()


def holder(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD_LOCK, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_lock_held_by_another_process_is_waited_for(tmp_path: Path) -> None:
    with holder(tmp_path / "thing") as other:
        assert other.stdin is not None
        waiting = Waiting(other.stdin.close)
        with locked(tmp_path / "thing", waiting):
            assert waiting.lines == ["waiting for another process that is making thing"]


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    with holder(tmp_path / "thing") as other, locked(tmp_path / "thing", Waiting(other.kill)):
        pass
    assert other.returncode == -signal.SIGKILL


def test_a_full_disk_is_an_error_that_says_what_could_not_be_made(tmp_path: Path) -> None:
    with (
        pytest.raises(CacheError, match=r"thing could not be made: .*No space"),
        locked(tmp_path / "thing", SILENT),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_cache_that_cannot_be_written_is_an_error_that_says_what_to_do(
    tmp_path: Path, number: int
) -> None:
    with (
        pytest.raises(
            CacheError, match=r"The cache cannot be written and lacks something: .*fetch"
        ),
        locked(tmp_path / "thing", SILENT),
    ):
        raise OSError(number, os.strerror(number))


def test_a_replaced_file_appears_whole_and_private(tmp_path: Path) -> None:
    path = tmp_path / "thing"
    path.write_bytes(b"old")
    with replacing(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert mode(path) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupted_replacement_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "thing"

    def write_half() -> None:
        with replacing(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert list(tmp_path.iterdir()) == []


def test_a_workspace_is_empty_at_first_and_gone_after_an_interrupt(tmp_path: Path) -> None:
    left_behind = tmp_path / "thing.scratch" / "of a killed process"
    left_behind.mkdir(parents=True)

    def work() -> None:
        with workspace(tmp_path / "thing") as scratch:
            assert list(scratch.iterdir()) == []
            (scratch / "file").write_bytes(b"x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert list(tmp_path.iterdir()) == []


def test_only_the_newest_files_are_kept(tmp_path: Path) -> None:
    for age, name in enumerate("dcba"):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, ns=(0, 1000 - age))
    keep_newest(tmp_path.iterdir(), 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c", "d"]
