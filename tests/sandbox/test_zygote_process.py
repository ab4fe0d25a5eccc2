"""The zygote's program: what it promises its owner, and what it does where it cannot keep it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rlm_kernel.pyodide.installation import ensure_installation
from rlm_kernel.sandbox import Limits, Zygote
from rlm_kernel.sandbox.line_sockets import LineSockets, descriptors, line_sockets
from rlm_kernel.sandbox.process import SessionProcess
from rlm_kernel.sandbox.zygote_process import environment

MAIN = "from rlm_kernel.sandbox.zygote_process import main; main()"

NO_LANDLOCK = """
from rlm_kernel.sandbox import seal
def lacking():
    raise OSError
seal.restrict_files = lacking
"""

NONE_MISSING = """
from rlm_kernel.sandbox import zygote_process
zygote_process.missing_layers = lambda: ()
"""

SECOND_THREAD = """
import threading
threading.Thread(target=threading.Event().wait, daemon=True).start()
"""

FAILING_FORKS = """
import itertools, os
fork, calls = os.fork, itertools.count()
def failing():
    if next(calls) in {failures}:
        raise BlockingIOError(11, "too many processes")
    return fork()
os.fork = failing
"""


@contextmanager
def troubled(trouble: str, *flags: str) -> Iterator[socket.socket]:
    """The owner's end of a zygote in whose process `trouble` ran first."""
    ensure_installation()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        arguments = [
            str(theirs.fileno()),
            Limits(memory_bytes=256 << 20).to_json(),
            "--prepared",
            *flags,
        ]
        command = [sys.executable, "-c", trouble + MAIN, *arguments]
        with subprocess.Popen(command, pass_fds=[theirs.fileno()]) as process:
            theirs.close()
            try:
                yield ours
            finally:
                process.kill()


def answer(control: socket.socket) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(control.recv(1 << 16))
    return message


def fork(control: socket.socket) -> tuple[dict[str, Any], LineSockets]:
    with line_sockets() as (ours, theirs):
        socket.send_fds(control, [b"fork"], descriptors(theirs))
        return answer(control), ours


def threads_of(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


async def test_a_zygote_has_one_thread_so_that_no_lock_is_held_in_its_copies(
    zygote: Zygote,
) -> None:
    assert threads_of(zygote.pid) == 1


def test_a_zygote_with_another_thread_refuses_to_be_forked() -> None:
    with troubled(SECOND_THREAD) as control:
        failure = answer(control)
        assert failure == {
            "failed": "it has 2 threads and cannot be forked",
            "code": "zygote_failed",
        }
        assert control.recv(1) == b""


def test_missing_layers_are_told() -> None:
    with troubled(NO_LANDLOCK) as control:
        assert "landlock" in answer(control)["unsealed"]


def test_a_zygote_that_must_seal_fails_where_a_layer_is_missing() -> None:
    with troubled(NO_LANDLOCK, "--require-seal") as control:
        failure = answer(control)
        assert failure["code"] == "zygote_failed"
        assert "layers are missing" in failure["failed"]
        assert "landlock" in failure["failed"]
        assert control.recv(1) == b""


def test_a_zygote_that_must_seal_serves_where_all_layers_are_there() -> None:
    with troubled(NONE_MISSING, "--require-seal") as control:
        assert answer(control) == {"ready": True, "unsealed": [], "preloading": []}


def test_a_session_that_is_sealed_otherwise_than_was_told_ends_at_once() -> None:
    with troubled(NO_LANDLOCK + NONE_MISSING) as control:
        assert answer(control) == {"ready": True, "unsealed": [], "preloading": []}
        _, sockets = fork(control)
        assert sockets.frames.recv(1) == b""
        sockets.close()


async def test_a_fork_that_fails_is_told_and_the_next_one_succeeds() -> None:
    with troubled(FAILING_FORKS.format(failures={1})) as control:
        answer(control)
        failure, sockets = fork(control)
        assert failure["code"] == "zygote_failed"
        assert "too many processes" in failure["failed"]
        assert sockets.frames.recv(1) == b""
        sockets.close()
        success, sockets = fork(control)
        process = await SessionProcess.connect(success["pid"], sockets)
        process.kill("the test is over")
        await process.ended


async def test_a_copy_that_fails_is_noticed_and_the_session_goes_on() -> None:
    # The first fork is the check of the seal's, the second the session, the third its copy.
    with troubled(FAILING_FORKS.format(failures={2})) as control:
        answer(control)
        forked, sockets = fork(control)
        process = await SessionProcess.connect(forked["pid"], sockets)
        with pytest.raises(ConnectionError, match="before it was copied"):
            await process.copy()
        copy = await process.copy()
        assert copy.pid != process.pid
        for each in (copy, process):
            each.kill("the test is over")
            await each.ended


def test_what_can_be_imported_before_the_new_start_can_be_imported_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "found_only_here.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    program = [sys.executable, "-P", "-c", "import found_only_here, rlm_kernel"]
    subprocess.run(program, env=environment(), cwd="/", check=True)


def test_of_the_environment_only_what_finds_code_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RLM_KERNEL_TOKEN", "secret")
    monkeypatch.setenv("LD_LIBRARY_PATH", "LD_BIND_NOW", os.sep)
    assert environment().keys() == {
        "RLM_KERNEL_CACHE",
        "PYTHONPATH",
        "LD_LIBRARY_PATH",
        "LD_BIND_NOW",
    }


def test_a_zygote_holds_none_of_the_large_libraries_of_its_owner() -> None:
    program = "import sys, rlm_kernel.sandbox.zygote_process; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", program], text=True).split()
    assert not {"asyncio", "pydantic", "ssl", "tornado", "zmq"}.intersection(loaded)
