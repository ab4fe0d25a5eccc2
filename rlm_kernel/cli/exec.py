"""`rlm-kernel exec`: run code in one fresh sandbox, with the output and exit status of the code.

It behaves like `python`: the value of the last expression is not shown, an exception leaves its
traceback on standard error and status 1, `sys.exit(n)` status n, Ctrl-C 130. Cells of Jupyter
run unchanged: `await`, magics and `display` work.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from rlm_kernel.cli.keyboard import Keyboard
from rlm_kernel.cli.options import add_settings, read_settings
from rlm_kernel.cli.script import TIMED_OUT, run_script
from rlm_kernel.errors import ConfigurationError
from rlm_kernel.sandbox import Limits, Session, Zygote
from rlm_kernel.settings import SandboxSettings


def configure(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("-c", dest="code", metavar="CODE", help="the code itself")
    source.add_argument("file", nargs="?", metavar="FILE", help="a file of code; - reads it here")
    parser.add_argument(
        "--timeout", type=_seconds, metavar="SECONDS", help=f"then stop, with status {TIMED_OUT}"
    )
    add_settings(parser, SandboxSettings, "preload")


def run(arguments: argparse.Namespace) -> int:
    code = _code(arguments)
    for stream in (sys.stdout, sys.stderr):
        # The code may print what this terminal's encoding lacks.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    keyboard = None if arguments.file == "-" else Keyboard()
    settings = read_settings(SandboxSettings, arguments)
    return asyncio.run(_execute(code, arguments.timeout, keyboard, settings))


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number of seconds")
    return seconds


def _code(arguments: argparse.Namespace) -> str:
    if arguments.code is not None:
        return str(arguments.code)
    name = arguments.file
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"cannot read {name!r}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"cannot read {name!r}: not UTF-8 ({error})") from error


class _Ending:
    """Ends the command before its cell has ended, with a status of its own."""

    def __init__(self) -> None:
        self.status: int | None = None
        self._task = asyncio.current_task()

    def __call__(self, status: int) -> None:
        self.status = status
        if self._task is not None:
            self._task.cancel()


async def _execute(
    code: str, timeout: float | None, keyboard: Keyboard | None, settings: SandboxSettings
) -> int:
    end = _Ending()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, end, 128 + signal.SIGTERM)
    loop.add_signal_handler(signal.SIGINT, end, 128 + signal.SIGINT)
    try:
        async with _fresh_session(settings) as session:
            _send_interrupts_to(session, end)
            return await run_script(
                session,
                code,
                timeout=timeout,
                keyboard=keyboard,
                on_closed_pipe=lambda: end(128 + signal.SIGPIPE),
            )
    except asyncio.CancelledError:
        if end.status is None:
            raise
        return end.status


@contextlib.asynccontextmanager
async def _fresh_session(settings: SandboxSettings) -> AsyncIterator[Session]:
    limits = Limits.of(settings, standby=False)
    zygote = await Zygote.start(
        limits,
        pyodide_url=settings.pyodide_url,
        require_seal=settings.require_seal,
        preload=settings.preload,
        shared=False,
    )
    try:
        yield await zygote.spawn()
    finally:
        await zygote.close()


def _send_interrupts_to(session: Session, end: _Ending) -> None:
    """The first Ctrl-C is the code's, which may handle it; the second ends the command."""
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        session.interrupt()
        loop.add_signal_handler(signal.SIGINT, end, 128 + signal.SIGINT)

    loop.add_signal_handler(signal.SIGINT, interrupt)
