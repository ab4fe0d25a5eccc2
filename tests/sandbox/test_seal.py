"""What a sealed process can no longer do, tried from within it, without the guest in between."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rlm_kernel.sandbox import Sandbox
from rlm_kernel.sandbox.system_calls import NUMBERS

PROGRAM = """
import ctypes, fcntl, json, mmap, os, signal, socket, sys, threading, time
from pathlib import Path
from rlm_kernel.sandbox.seal import seal

def thread():
    worker = threading.Thread(target=lambda: None)
    worker.start()
    worker.join()

def copy():
    if os.fork() == 0:
        os._exit(0)

libc = ctypes.CDLL(None, use_errno=True)

def raw(name, *arguments):
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)

def control(*arguments):
    return fcntl.fcntl(tcp, *arguments)

owner = int(sys.argv[2])
attempts = {
    "open": lambda: os.open("/etc/passwd", os.O_RDONLY),
    "create": lambda: os.open("/tmp/sealed", os.O_CREAT | os.O_WRONLY),
    "list": lambda: os.listdir("/"),
    "stat": lambda: os.stat("/etc/passwd"),
    "read another process": lambda: os.open(f"/proc/{owner}/status", os.O_RDONLY),
    "connect": lambda: tcp.connect(("127.0.0.1", 9)),
    "socket": socket.socket,
    "unix socket": lambda: socket.socket(socket.AF_UNIX),
    "exec": lambda: os.execv("/bin/true", ["true"]),
    "kill": lambda: os.kill(owner, 0),
    "ptrace": lambda: raw("ptrace", 16, owner, 0, 0),
    "new namespace": lambda: raw("unshare", 0x10000000),
    "executable memory": lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC),
    "more privileges": lambda: raw("prctl", 38, 0, 0, 0, 0),
    "owner of a descriptor's signals": lambda: control(fcntl.F_SETOWN, owner),
    "signal of a descriptor": lambda: control(fcntl.F_SETSIG, signal.SIGKILL),
    "signals at input": lambda: control(fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK),
    "flags of a descriptor": lambda: control(fcntl.F_SETFD, control(fcntl.F_GETFD)),
    "state of a descriptor": lambda: control(fcntl.F_SETFL, control(fcntl.F_GETFL)),
    "another descriptor": lambda: os.close(os.dup(tcp.fileno())),
    "memory": lambda: mmap.mmap(-1, 4096),
    "thread": thread,
    "copy": copy,
    "randomness": lambda: os.urandom(8),
    "sleep": lambda: time.sleep(0),
}
report, tcp = int(sys.argv[1]), socket.socket()
outcomes = {"missing": seal([report, tcp.fileno()])}
for name, attempt in attempts.items():
    try:
        attempt()
        outcomes[name] = "done"
    except OSError as error:
        outcomes[name] = "refused"
os.write(report, json.dumps(outcomes).encode())
"""

NEEDED = {
    "memory", "thread", "copy", "randomness", "sleep",
    "flags of a descriptor", "another descriptor",
}  # fmt: skip

PROBE = """
import json, os, sys
from rlm_kernel.sandbox import seal
def broken():
    {trouble}
seal.restrict_system_calls = broken
os.write(int(sys.argv[1]), json.dumps([*seal.missing_layers()]).encode())
"""

CHECKED = """
import os, sys, tempfile
from rlm_kernel.sandbox.seal import missing_layers
missing_layers()
with tempfile.TemporaryFile("w") as file:
    os.write(int(sys.argv[1]), str(file.write("writable")).encode())
"""

LAYERS = {
    "closed files", "resource limits", "no new privileges", "no dumps", "no capabilities",
    "landlock", "seccomp",
}  # fmt: skip


def run(program: str) -> Any:
    """What the program writes as JSON to the descriptor that is its first argument."""
    reader, writer = os.pipe()
    with os.fdopen(reader) as report:
        try:
            command = [sys.executable, "-c", program, str(writer), str(os.getpid())]
            subprocess.run(command, pass_fds=[writer], check=True)
        finally:
            os.close(writer)
        return json.load(report)


@contextmanager
def looking_into(pid: int) -> Iterator[Path]:
    """The process's folder in `/proc`."""
    try:
        yield Path(f"/proc/{pid}")
    except PermissionError:
        pytest.skip("a sealed process cannot be dumped: only root may look into it")


@pytest.mark.skipif(not NUMBERS, reason="the system calls of this machine are not known")
def test_a_sealed_process_can_do_what_a_session_needs_and_nothing_else() -> None:
    outcomes: dict[str, str] = run(PROGRAM)
    outcomes.pop("missing")
    assert {name for name, outcome in outcomes.items() if outcome == "done"} == NEEDED


def test_every_session_is_sealed(shared_box: Sandbox) -> None:
    shared_box.execute("1")
    lines = Path(f"/proc/{shared_box.pid}/status").read_text().splitlines()
    status = dict(line.split(":\t", 1) for line in lines)
    assert (status["NoNewPrivs"], status["Seccomp"].strip()) == ("1", "2")


def test_a_session_holds_nothing_of_the_environment_but_where_code_is(shared_box: Sandbox) -> None:
    shared_box.execute("1")
    with looking_into(shared_box.pid) as process:
        entries = (process / "environ").read_bytes().split(b"\0")
    names = {entry.split(b"=")[0] for entry in entries if entry}
    assert names <= {b"RLM_KERNEL_CACHE", b"PYTHONPATH", b"LD_LIBRARY_PATH", b"LD_BIND_NOW"}


def test_the_check_for_missing_layers_leaves_its_process_as_it_was() -> None:
    assert run(CHECKED) == len("writable")


def test_a_layer_that_fails_in_an_unforeseen_way_is_missing() -> None:
    assert "seccomp" in run(PROBE.format(trouble="raise RuntimeError"))


def test_all_layers_count_as_missing_when_the_check_dies() -> None:
    assert set(run(PROBE.format(trouble="os.kill(os.getpid(), 9)"))) == LAYERS


def test_a_session_holds_only_the_descriptors_it_needs(shared_box: Sandbox) -> None:
    shared_box.execute("1")
    with looking_into(shared_box.pid) as process:
        targets = [str(entry.readlink()) for entry in (process / "fd").iterdir()]
    kinds = sorted(target.split(":")[0] for target in targets if target != "/dev/null")
    assert kinds == ["anon_inode", "pipe", "pipe", "socket", "socket", "socket"]
