"""The session's file system at its limits: what fits is kept, one more is refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rlm_kernel.sandbox import Limits, Sandbox

LIMITS = Limits(
    memory_bytes=256 << 20,
    file_bytes=1000,
    file_count=3,
    open_files=20,
    path_bytes=1000,
    standby=False,
)
REFUSED = "def refused(do, *a):\n    try: do(*a)\n    except OSError as e: return e.strerror\n"


@pytest.fixture(scope="module")
def source() -> Iterator[Sandbox]:
    with Sandbox(LIMITS) as box:
        box.execute("import os, errno, pathlib\n" + REFUSED)
        yield box


@pytest.fixture
def small(source: Sandbox) -> Iterator[Sandbox]:
    with source.fork() as box:
        yield box


def test_files_hold_as_many_bytes_as_the_limit_and_not_one_more(small: Sandbox) -> None:
    code = (
        "f = open('f', 'wb', buffering=0); f.write(b'x' * 1000)\n"
        "more, room = refused(f.write, b'y'), os.statvfs('/').f_bavail\n"
        "f.seek(999); f.write(b'z'); f.close()\n"
        "more, room, open('f', 'rb').read() == b'x' * 999 + b'z'"
    )
    assert small.execute(code).result == "('No space left on device', 0, True)"


def test_room_that_is_freed_can_be_taken_again(small: Sandbox) -> None:
    code = (
        "path = pathlib.Path('f')\npath.write_bytes(bytes(1000)); path.unlink()\n"
        "path.write_bytes(bytes(600)); os.truncate('f', 100)\n"
        "pathlib.Path('g').write_bytes(bytes(900)), refused(os.truncate, 'f', 101)"
    )
    assert small.execute(code).result == "(900, 'No space left on device')"


def test_folders_links_and_empty_files_count_as_files(small: Sandbox) -> None:
    code = (
        "os.mkdir('d'); os.symlink('d', 'l'); open('d/empty', 'w').close()\n"
        "tried = refused(os.mkdir, 'e'), refused(os.symlink, 'd', 'm'), refused(open, 'f', 'w')\n"
        "os.unlink('l'); open('f', 'w').close()\n"
        "set(tried), sorted(os.listdir())"
    )
    assert small.execute(code).result == "({'No space left on device'}, ['.ipython', 'd', 'f'])"


def test_a_file_from_outside_that_does_not_fit_is_refused(small: Sandbox) -> None:
    small.put_file("fits", bytes(1000))
    with pytest.raises(Exception, match="no room"):
        small.put_file("more", b"x")
    assert small.get_file("fits") == bytes(1000)


def test_as_many_files_as_the_limit_can_be_open_and_the_session_goes_on(small: Sandbox) -> None:
    code = (
        "taken = []\ndef take(): taken.append(os.open('/', 0))\n"
        "while (problem := refused(take)) is None: pass\n"
        "max(taken), problem"
    )
    assert small.execute(code).result == "(19, 'No file descriptors available')"
    freed = small.execute("os.close(taken.pop()); fd = os.dup(1); fd")
    assert freed.result == "19"


def test_names_and_paths_have_their_lengths_and_no_more(small: Sandbox) -> None:
    code = (
        "pathlib.Path('n' * 255).touch(); path = './' * 499\n"
        "refused(open, 'n' * 256, 'w'), os.path.isdir(path + '.'), refused(os.stat, path + '..')"
    )
    assert small.execute(code).result == "('Filename too long', True, 'Filename too long')"
