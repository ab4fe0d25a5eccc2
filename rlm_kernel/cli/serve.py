"""`rlm-kernel serve`: the manager."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING

from rlm_kernel import logs
from rlm_kernel.cli.options import add_settings, read_settings
from rlm_kernel.errors import ConfigurationError
from rlm_kernel.settings import ManagerSettings

if TYPE_CHECKING:
    from rlm_kernel.http.stop import Stop


def configure(parser: argparse.ArgumentParser) -> None:
    add_settings(
        parser,
        ManagerSettings,
        "host",
        "port",
        "max_sessions",
        "pool",
        "session_ttl",
        "drain_seconds",
        "log_level",
        "memory_bytes",
        "file_bytes",
        "file_count",
        "open_files",
        "path_bytes",
        "output_bytes",
        "display_bytes",
        "cell_timeout",
        "cpu_seconds",
        "zygote_sessions",
        "zygote_seconds",
        "interrupt_grace",
        "pyodide_url",
        "preload",
        "lab",
        "lab_dir",
    )
    parser.add_argument(
        "--stop-on-eof",
        action="store_true",
        help="stop when standard input ends, as it does when the program at its other end dies",
    )
    parser.epilog = (
        "The token that clients have to show comes from $RLM_KERNEL_TOKEN only, and that of those "
        "who merely attach from $RLM_KERNEL_ATTACH_TOKEN: a command line is not secret."
    )


def run(arguments: argparse.Namespace) -> int:
    settings = read_settings(ManagerSettings, arguments)
    # What the manager starts inherits its environment, and is closer to the code of others.
    for name in ("RLM_KERNEL_TOKEN", "RLM_KERNEL_ATTACH_TOKEN", "RLM_KERNEL_METRICS_TOKEN"):
        os.environ.pop(name, None)
    tokens = filter(None, (settings.token, settings.attach_token, settings.metrics_token))
    logs.configure(settings.log_level, secrets=[token.get_secret_value() for token in tokens])
    asyncio.run(_serve(settings, stop_on_eof=arguments.stop_on_eof))
    return 0


async def _serve(settings: ManagerSettings, *, stop_on_eof: bool) -> None:
    from rlm_kernel.http.stop import Stop
    from rlm_kernel.manager import serve

    stop = Stop()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.ask)
    if stop_on_eof:
        await _watch_stdin(stop)
    await serve(settings, announce=partial(_announce, lab=settings.lab), stop=stop)


def _announce(url: str, *, lab: bool) -> None:
    print(f"rlm-kernel: listening on {url}", flush=True)
    if lab:
        print(f"rlm-kernel: JupyterLab is at {url}/lab", flush=True)


class _EndOfInput(asyncio.Protocol):
    def __init__(self, stop: Stop) -> None:
        self._stop = stop

    def connection_lost(self, error: Exception | None) -> None:
        self._stop.ask_urgently()


async def _watch_stdin(stop: Stop) -> None:
    loop = asyncio.get_running_loop()
    try:
        await loop.connect_read_pipe(lambda: _EndOfInput(stop), sys.stdin)
    except ValueError as error:
        raise ConfigurationError("--stop-on-eof needs a pipe as standard input") from error
