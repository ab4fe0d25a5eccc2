"""Real Python on these files: it must see what the same code sees on a real system."""

from __future__ import annotations

import ast
import platform
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from rlm_kernel.emscripten import Errno
from rlm_kernel.sandbox import Sandbox
from tests.emscripten.file_programs import FILE_PROGRAMS
from tests.emscripten.library_programs import LIBRARY_PROGRAMS
from tests.emscripten.system_programs import SYSTEM_PROGRAMS

PRELUDE = """
import errno, io, os, pathlib, shutil, stat, sys, tempfile, time


def attempt(function, *arguments, **named):
    try:
        result = function(*arguments, **named)
    except OSError as error:
        result = errno.errorcode[error.errno]
    print(result)


def tree():
    return sorted(
        os.path.join(folder, name)
        for folder, names, files in os.walk(".")
        for name in names + files
    )


def write(path, text="text"):
    with open(path, "w") as file:
        file.write(text)


def read(path):
    with open(path) as file:
        return file.read()
"""

PROGRAMS = FILE_PROGRAMS | LIBRARY_PROGRAMS | SYSTEM_PROGRAMS


HEED_INTERRUPTS = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
"""Whoever started the tests in the background may have left them deaf to it."""


def native(code: str, folder: Path) -> str:
    """What this machine's own Python prints for the code."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", HEED_INTERRUPTS + code],
        cwd=folder,
        capture_output=True,
        text=True,
        env={"TZ": "UTC", "LANG": "C.UTF-8", "PYTHONUTF8": "1"},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def in_guest(box: Sandbox, code: str) -> str:
    """What Python prints for the code in the guest, in a new directory."""
    moved = f"import os, tempfile\nos.chdir(tempfile.mkdtemp())\n{code}"
    done = box.execute(moved, timeout=60)
    assert done.status == "ok", (done.stdout, done.error)
    return done.stdout


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_guest_prints_what_a_real_system_prints(
    box: Sandbox, tmp_path: Path, name: str
) -> None:
    code = PRELUDE + textwrap.dedent(PROGRAMS[name])
    assert in_guest(box, code).splitlines() == native(code, tmp_path).splitlines()


def test_descriptors_run_out_and_come_back(box: Sandbox) -> None:
    printed = in_guest(
        box,
        "import errno\nfiles = []\ntry:\n"
        "    while True: files.append(os.open('/dev/null', os.O_RDONLY))\n"
        "except OSError as error: print(error.errno == errno.EMFILE, len(files) > 100)\n"
        "for fd in files: os.close(fd)\n"
        "print('null' in os.listdir('/dev'))",
    )
    assert printed == "True True\nTrue\n"


def test_what_is_deleted_gives_its_room_back(box: Sandbox) -> None:
    printed = in_guest(
        box,
        "free = lambda: os.statvfs('.').f_bavail\nbefore = free()\n"
        "with open('big', 'wb') as file: file.write(bytes(50_000_000))\n"
        "print(before - free() > 12_000)\nos.unlink('big')\ndel file\nprint(free() == before)",
    )
    assert printed == "True\nTrue\n"


def test_more_than_there_is_room_for_is_an_error_and_leaves_the_rest(box: Sandbox) -> None:
    printed = in_guest(
        box,
        "import errno\nwith open('file', 'wb') as file:\n"
        "    file.write(b'kept')\n    file.flush()\n"
        "    for size in (1 << 40, 1 << 62):\n"
        "        try: file.truncate(size)\n"
        "        except OSError as error: print(errno.errorcode[error.errno])\n"
        "print(open('file').read())",
    )
    assert printed.split() == ["ENOSPC", "ENOSPC", "kept"]


def test_a_file_of_the_library_may_be_changed_by_the_session_alone(box: Sandbox) -> None:
    change = "import json\nwith open(json.__file__, 'a') as file: file.write('# mine')\n"
    assert in_guest(box, change + "print(open(json.__file__).read()[-6:])") == "# mine\n"
    with Sandbox() as other:
        assert "# mine" not in in_guest(
            other, "import json; print(open(json.__file__).read()[-6:])"
        )


def test_the_guests_errnos_are_the_hosts(box: Sandbox) -> None:
    printed = in_guest(
        box, "import errno; print({k: v for k, v in vars(errno).items() if k[0] == 'E'})"
    )
    numbers = ast.literal_eval(printed)
    # Python knows this number by its other name.
    numbers["EOPNOTSUPP"] = numbers["ENOTSUP"]
    assert {name.name: name.value for name in Errno}.items() <= numbers.items()


def test_a_signal_to_itself_reaches_its_handler(box: Sandbox) -> None:
    printed = in_guest(
        box,
        "import signal\nold = signal.signal(signal.SIGTERM, lambda *got: print(got[0]))\n"
        "signal.raise_signal(signal.SIGTERM)\nos.kill(os.getpid(), signal.SIGTERM)\n"
        "signal.signal(signal.SIGTERM, old)",
    )
    assert printed == "15\n15\n"


def test_a_moment_beyond_the_calendar_has_the_last_year_of_all(box: Sandbox) -> None:
    printed = in_guest(box, "import time; print(time.gmtime(10**18).tm_year)")
    assert printed == f"{(1 << 31) - 1}\n"


def test_nothing_of_the_host_is_seen(box: Sandbox) -> None:
    printed = in_guest(
        box,
        "import sys\nprint(dict(os.environ), os.uname(), os.getpid(), sys.argv)\n"
        "print(os.path.exists('/proc'), os.path.exists('/etc'))",
    )
    assert "False False" in printed
    assert str(Path.home()) not in printed
    assert platform.node() not in printed
