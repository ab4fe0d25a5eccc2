"""Code that would take the session, or more, down with it."""

from __future__ import annotations

import os
import signal

import pytest

from rlm_kernel.errors import SandboxClosed
from rlm_kernel.sandbox import Sandbox


@pytest.mark.parametrize(
    ("code", "ename"),
    [
        ("pieces = []\nwhile True: pieces.append(bytearray(10_000_000))", "MemoryError"),
        ("bytes(2_000_000_000)", "MemoryError"),
        ("def f(): return f()\nf()", "RecursionError"),
        ("def g(n): return list(map(g, [n + 1]))\ng(0)", "RecursionError"),
        ("class R:\n    def __repr__(self): return repr(self)\nrepr(R())", "RecursionError"),
        ("import json; json.loads('[' * 10_000_000)", "RecursionError"),
        (
            "a = b = 0\nfor _ in range(1_000_000): a, b = [a], [b]\na == b",
            "RecursionError",
        ),
    ],
)
def test_running_out_of_a_resource_is_an_exception_and_no_more(
    box: Sandbox, code: str, ename: str
) -> None:
    box.execute("before = 1")
    result = box.execute(code)
    assert result.error is not None
    assert (result.error.ename, result.state) == (ename, "kept")
    box.execute("pieces = a = b = None")
    assert box.execute("before").result == "1"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import os; os._exit(4)", "exit 4"),
        ("import os; os.abort()", "abort"),
        ("import faulthandler; faulthandler._sigsegv()", "abort"),
        ("import os; os.write(os.open('/dev/owner', os.O_RDWR), b'\\xff' * 64)", "protocol"),
        (
            "import os; from rlm_kernel.guest.frames import Frame\n"
            "os.write(os.open('/dev/owner', os.O_RDWR), Frame('nonsense', '', {}).encode())",
            "nonsense",
        ),
    ],
)
def test_code_that_ends_its_process_ends_its_session_alone(
    box: Sandbox, shared_box: Sandbox, code: str, reason: str
) -> None:
    shared_box.execute("other = 1")
    result = box.execute(code + "\nwhile True: pass")
    assert (result.status, result.state) == ("error", "lost")
    assert result.error is not None
    assert result.error.ename == "SessionDied"
    assert reason in result.error.evalue
    assert box.execute("1 + 1").result == "2"
    assert shared_box.execute("other").result == "1"


def test_a_session_killed_between_two_cells_says_that_its_variables_are_lost(box: Sandbox) -> None:
    box.execute("before = 1")
    os.kill(box.pid, signal.SIGKILL)
    assert box.execute("1").state == "lost"
    assert box.execute("2").state == "kept"


def test_a_session_killed_in_a_cell_is_replaced(box: Sandbox) -> None:
    pid = box.pid
    result = box.execute(
        "print('here', flush=True)\nwhile True: pass",
        on_event=lambda event: os.kill(pid, signal.SIGKILL) if event.kind == "stream" else None,
    )
    assert result.state == "lost"
    assert box.execute("1 + 1").result == "2"


def test_a_closed_sandbox_says_so_and_can_be_closed_again() -> None:
    box = Sandbox()
    pid = box.pid
    box.close()
    box.close()
    with pytest.raises(SandboxClosed):
        box.execute("1")
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize(
    "code",
    [
        "taken = []\nwhile True: taken.append(bytes(64))",
        "taken = []\nsize = 1 << 24\nwhile size > 16:\n"
        "    try: taken.append(bytearray(size))\n    except MemoryError: size //= 2\n"
        "while True: taken.append(bytes(3))",
        "taken = {}\nwhile True: taken[len(taken)] = str(len(taken))",
    ],
)
def test_with_every_byte_taken_the_reply_is_a_memory_error_and_the_session_lives(
    box: Sandbox, code: str
) -> None:
    box.execute("before = 1")
    result = box.execute(code)
    assert result.error is not None
    assert (result.error.ename, result.state) == ("MemoryError", "kept")
    for _ in range(3):
        assert box.execute("before").result == "1"
    assert box.execute("taken = None; 'free'").result == "'free'"


def test_a_cell_that_goes_on_without_memory_can_be_interrupted(box: Sandbox) -> None:
    code = "taken = []\nwhile True:\n    try: taken.append(bytes(64))\n    except MemoryError: pass"
    box.execute("before = 1")
    result = box.execute(code, timeout=2)
    assert (result.status, result.state) == ("timeout", "kept")
    assert box.execute("taken = None; before").result == "1"
