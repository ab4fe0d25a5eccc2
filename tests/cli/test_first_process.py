"""A command that is the first process of a container, here of a PID namespace."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

NAMESPACE = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"]

PROGRAM = """
import os, signal, subprocess, sys
from rlm_kernel.cli.first_process import stand_aside
stand_aside()
{body}
"""


def can_unshare() -> bool:
    try:
        return subprocess.run([*NAMESPACE, "true"], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


pytestmark = pytest.mark.skipif(not can_unshare(), reason="needs a user namespace")


@contextmanager
def first_process(body: str) -> Iterator[subprocess.Popen[str]]:
    command = [*NAMESPACE, sys.executable, "-c", PROGRAM.format(body=body)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def outcome(body: str) -> int:
    with first_process(body) as process:
        return process.wait(timeout=30)


def test_the_command_is_not_the_first_process() -> None:
    with first_process("print(os.getpid(), os.getppid())") as process:
        assert said(process) == "2 1"


def test_elsewhere_nothing_happens() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(body="print(os.getppid())")],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert int(done.stdout) == os.getpid()


@pytest.mark.parametrize(
    ("body", "status"),
    [("sys.exit(7)", 7), ("pass", 0), ("os.kill(os.getpid(), signal.SIGKILL)", 128 + 9)],
)
def test_it_ends_as_the_command_does(body: str, status: int) -> None:
    assert outcome(body) == status


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_reaches_a_command_that_has_no_handler(number: signal.Signals) -> None:
    body = (
        f"signal.signal({int(number)}, signal.SIG_DFL)\nos.kill(1, {int(number)})\nsignal.pause()"
    )
    assert outcome(body) == 128 + number


def test_a_handler_of_the_command_is_called_once() -> None:
    body = (
        "reader, writer = os.pipe()\n"
        "for number in (signal.SIGTERM, signal.SIGUSR1):\n"
        "    signal.signal(number, lambda number, _: os.write(writer, bytes([number])))\n"
        "os.kill(1, signal.SIGTERM)\n"
        "seen = os.read(reader, 1)\n"
        "os.kill(1, signal.SIGUSR1)\n"  # passed on after all that came before
        "while signal.SIGUSR1 not in seen:\n"
        "    seen += os.read(reader, 1)\n"
        "print(list(seen), flush=True)"
    )
    with first_process(body) as process:
        assert said(process) == str([int(signal.SIGTERM), int(signal.SIGUSR1)])


def test_processes_that_lost_their_parent_are_reaped() -> None:
    body = (
        "shell = subprocess.run(['sh', '-c', 'true & echo $!'], stdout=subprocess.PIPE)\n"
        "orphan = int(shell.stdout)\n"
        "while True:\n"
        "    try:\n"
        "        os.kill(orphan, 0)\n"
        "    except ProcessLookupError:\n"
        "        break\n"
        "print('reaped', flush=True)"
    )
    with first_process(body) as process:
        assert said(process) == "reaped"
        assert process.wait(timeout=30) == 0


def test_the_command_has_no_signal_blocked() -> None:
    body = "print(len(signal.pthread_sigmask(signal.SIG_BLOCK, ())))"
    with first_process(body) as process:
        assert said(process) == "0"
