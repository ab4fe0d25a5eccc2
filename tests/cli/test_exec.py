"""`rlm-kernel exec`: what the code prints, and the exit status it asks for."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.packages import write_wheel
from tests.processes import alive, descendants_of

EXEC = [sys.executable, "-m", "rlm_kernel", "exec"]


def run_exec(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*EXEC, *arguments], input=given, capture_output=True, text=True, timeout=100
    )


def start_exec(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*EXEC, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_command_of_the_readme_prints_42() -> None:
    done = run_exec("-c", "import sqlite3, json, decimal, re, asyncio; print(6*7)")
    assert (done.returncode, done.stdout, done.stderr) == (0, "42\n", "")


def test_a_terminal_gets_the_traceback_in_colours() -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        process = subprocess.Popen(
            [*EXEC, "-c", "1 / 0"], stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        shown = b""
        try:
            while piece := terminal.read(4096):
                shown += piece
        except OSError:  # how a terminal says that its other end is closed
            pass
        assert process.wait(timeout=100) == 1
    assert b"\x1b[" in shown
    assert b"ZeroDivisionError" in shown


def test_code_from_a_file_is_run(tmp_path: Path) -> None:
    file = tmp_path / "code.py"
    file.write_text("\ufeff# bom\nprint('naïve', input())\n", encoding="utf-8")
    done = run_exec(str(file), given="x\n")
    assert (done.returncode, done.stdout) == (0, "naïve x\n")


def test_code_from_standard_input_is_run_and_has_none_itself() -> None:
    done = run_exec("-", given="try: input()\nexcept EOFError: exit('end')")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "end\n")


def test_output_comes_as_it_is_printed() -> None:
    """The code waits for ever after its first line, so that only streaming can show it."""
    process = start_exec("-c", "print('first', flush=True)\nwhile True: pass")
    assert process.stdout is not None
    assert process.stdout.readline() == "first\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "KeyboardInterrupt" in errors


def test_code_that_handles_ctrl_c_goes_on_and_a_second_ends_it() -> None:
    code = (
        "try:\n    print('ready', flush=True)\n    while True: pass\n"
        "except KeyboardInterrupt: print('caught', flush=True)\n"
        "while True: pass"
    )
    process = start_exec("-c", code)
    assert process.stdout is not None
    for line in ("ready\n", "caught\n"):
        assert process.stdout.readline() == line
        below = descendants_of(process.pid)
        process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert alive(below) == set()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_at_any_time_leaves_no_process(number: int, status: int) -> None:
    """Here: while the sandbox starts."""
    process = start_exec("-c", "while True: pass")
    while not (below := descendants_of(process.pid)):
        threading.Event().wait(0.01)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == status
    assert alive(below) == set()


def test_a_reader_that_leaves_ends_the_code() -> None:
    process = start_exec("-c", "while True: print('x' * 1000)")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(timeout=60) == 141
    process.stderr.close()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "one of the arguments -c FILE is required"),
        (["-c", "1", "file.py"], "not allowed with argument -c"),
        (["no-such-file.py"], "cannot read 'no-such-file.py': No such file or directory"),
        (["/"], "cannot read '/': Is a directory"),
        (["--timeout", "0", "-c", "1"], "'0' is not a positive number of seconds"),
        (["--timeout", "soon", "-c", "1"], "'soon' is not a positive number of seconds"),
    ],
)
def test_bad_usage_is_one_line_and_status_2(arguments: list[str], complaint: str) -> None:
    done = run_exec(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("rlm-kernel: error: ")
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "code.pyc"
    file.write_bytes(b"\xff\xfe\x00")
    done = run_exec(str(file))
    assert done.returncode == 2
    assert "not UTF-8" in done.stderr


def test_a_preloaded_wheel_is_there_and_a_bad_one_is_refused_in_one_line(tmp_path: Path) -> None:
    write_wheel(tmp_path, "thing", {"thing.py": b"x = 42"})
    write_wheel(tmp_path, "broken", {"broken.py": b"raise ValueError('why')"})
    wheels = [f"--preload={tmp_path}/{name}-1.0-py3-none-any.whl" for name in ("thing", "broken")]
    done = run_exec(*wheels, "-c", "import sys; print(sys.modules['thing'].x)")
    assert (done.returncode, done.stdout) == (0, "42\n")
    assert "preloading: import broken failed: ValueError: why" in done.stderr.splitlines()
    refused = run_exec("--preload=gone-1.0-py3-none-any.whl", "-c", "1")
    assert refused.returncode == 2
    assert refused.stderr.startswith("rlm-kernel: error: the zygote failed: there is no wheel")
