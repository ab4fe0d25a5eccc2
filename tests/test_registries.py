"""Package clients: what they bring, what they complain of, and that none outlives its caller."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rlm_kernel import registries
from rlm_kernel.errors import FetchError
from rlm_kernel.registries import npm_pack, pip_download
from tests.packages import fake_npm, write_wheel


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all that pip knows."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_pip_brings_a_wheel_and_keeps_nothing_else_elsewhere(wheels: Path, tmp_path: Path) -> None:
    write_wheel(wheels, "thing", {"thing.py": b"x = 1"})
    with pip_download(["thing==1.0"], tmp_path / "scratch") as client:
        (wheel,) = client.wait(".whl")
    assert wheel == tmp_path / "scratch" / "thing-1.0-py3-none-any.whl"


def test_pip_says_what_it_could_not_find(wheels: Path, tmp_path: Path) -> None:
    with (
        pip_download(["thing==1.0"], tmp_path / "scratch") as client,
        pytest.raises(FetchError, match=r"No matching distribution found for thing==1\.0"),
    ):
        client.wait(".whl")


def test_pip_says_that_a_wheel_has_another_hash(wheels: Path, tmp_path: Path) -> None:
    write_wheel(wheels, "thing", {"thing.py": b"x = 1"})
    lock = tmp_path / "lock"
    lock.write_text(f"thing==1.0 --hash=sha256:{'0' * 64}\n")
    arguments = ["--require-hashes", "--requirement", str(lock)]
    with (
        pip_download(arguments, tmp_path / "scratch") as client,
        pytest.raises(FetchError, match="DO NOT MATCH THE HASHES"),
    ):
        client.wait(".whl")


def test_an_index_that_cannot_be_reached_is_named_as_the_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_RETRIES", "1")
    arguments = ["--index-url", "http://127.0.0.1:9/", "thing==1.0"]
    with (
        pip_download(arguments, tmp_path / "scratch") as client,
        pytest.raises(FetchError, match=r"Connection refused; .*No matching distribution"),
    ):
        client.wait(".whl")


def test_npm_that_is_not_installed_is_a_fetch_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FetchError, match="npm is not installed"):
        npm_pack("thing", tmp_path / "scratch")


def test_npm_says_what_went_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_npm(tmp_path, monkeypatch, "echo 'npm error code E404' >&2; exit 1")
    with (
        npm_pack("thing", tmp_path / "scratch") as client,
        pytest.raises(FetchError, match="npm error code E404"),
    ):
        client.wait(".tgz")


def test_a_client_that_ends_well_without_a_file_is_a_fetch_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_npm(tmp_path, monkeypatch, "exit 0")
    with (
        npm_pack("thing", tmp_path / "scratch") as client,
        pytest.raises(FetchError, match="npm ended with status 0 and brought nothing"),
    ):
        client.wait(".tgz")


def test_a_client_that_takes_too_long_is_a_fetch_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_npm(tmp_path, monkeypatch, "exec sleep 1000")
    monkeypatch.setattr(registries, "CLIENT_TIMEOUT_S", 0.01)
    with (
        npm_pack("thing", tmp_path / "scratch") as client,
        pytest.raises(FetchError, match="npm took more than"),
    ):
        client.wait(".tgz")


@pytest.mark.parametrize("deaf", ["", "trap '' INT; "])
def test_no_client_outlives_an_interrupt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deaf: str
) -> None:
    started = tmp_path / "started"
    os.mkfifo(started)
    fake_npm(tmp_path, monkeypatch, f"{deaf}echo $$ > {started}; exec sleep 1000")
    monkeypatch.setattr(registries, "GRACE_S", 0.1)

    def interrupted() -> None:
        with npm_pack("thing", tmp_path / "scratch"):
            pids.append(int(started.read_text()))
            raise KeyboardInterrupt

    pids: list[int] = []
    raises_interrupt(interrupted)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def raises_interrupt(act: Callable[[], None]) -> None:
    with pytest.raises(KeyboardInterrupt):
        act()
