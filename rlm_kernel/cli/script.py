"""Code run as `python` runs a script: what it prints is printed, and it has an exit status."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from typing import Any

from rlm_kernel.cli.console import Console
from rlm_kernel.cli.keyboard import Keyboard
from rlm_kernel.sandbox import Session

TIMED_OUT = 124
"""The exit status of code that took too long; timeout(1) has the same."""

_CELL = {
    "store_history": False,
    "user_expressions": {},
    "allow_stdin": True,
    "stop_on_error": True,
}
_LIKE_PYTHON = "from sys import exit, exit as quit"
"""IPython's own `exit` takes no status and means the kernel."""


async def run_script(
    session: Session,
    code: str,
    *,
    timeout: float | None = None,
    keyboard: Keyboard | None = None,
    on_closed_pipe: Callable[[], None],
) -> int:
    """Run `code` in `session`, print as it prints, and return the exit status it asks for.

    `input()` reads `keyboard`; without one it meets the end of input at once. `on_closed_pipe` is
    called when there is nobody to print for any more.
    """
    console = Console(session.answer_input, keyboard=keyboard, on_closed_pipe=on_closed_pipe)
    session.on_event = console
    preparation = {**_CELL, "silent": True, "code": _LIKE_PYTHON}
    script = {**_CELL, "silent": False, "code": code}
    try:
        await session.request("execute_request", preparation, request_id="preparation")
        reply = await session.request(
            "execute_request", script, request_id="script", timeout=timeout
        )
    finally:
        console.stop_asking()
    if reply.timed_out:
        print(f"rlm-kernel: the code was stopped: it {reply.overrun}", file=sys.stderr)
        return TIMED_OUT
    if reply.state == "lost":
        print(f"rlm-kernel: {reply.content['evalue']}", file=sys.stderr)
    return _status(reply.content)


def _status(reply: dict[str, Any]) -> int:
    if reply["status"] == "ok":
        return 0
    match reply["ename"]:
        case "SystemExit":
            return _exit_status(reply)
        case "KeyboardInterrupt":
            return 128 + signal.SIGINT
        case _:
            return 1


def _exit_status(reply: dict[str, Any]) -> int:
    """The status of `sys.exit(value)`; a value that is none is printed, as a last word."""
    status = reply.get("exit_status")
    if isinstance(status, int):
        return status & 0xFF
    print(reply["evalue"], file=sys.stderr)
    return 1
