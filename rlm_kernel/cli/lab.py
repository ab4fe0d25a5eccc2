"""`rlm-kernel lab [DIRECTORY]`: JupyterLab here, on the live sessions of a manager anywhere.

Notebooks are files of this machine, kernels are sessions of the manager. Leaving ends no session
but those that were started from here.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path

from rlm_kernel.cli.address import add_url, manager_client, manager_token, manager_url
from rlm_kernel.errors import ConfigurationError


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "directory",
        nargs="?",
        type=Path,
        default=Path(),
        metavar="DIRECTORY",
        help="where notebooks are opened and saved (default: here)",
    )
    add_url(parser)
    parser.add_argument("--port", type=int, help="for JupyterLab (default: 8888 or the next free)")
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser")
    parser.add_argument("--allow-root", action="store_true", help="run it even as root")


def run(arguments: argparse.Namespace) -> int:
    try:
        from jupyterlab.labapp import LabApp  # type: ignore[import-untyped]
    except ImportError as error:
        raise ConfigurationError(
            "JupyterLab is not installed: pip install 'rlm-kernel[lab]'"
        ) from error
    if not arguments.directory.is_dir():
        raise ConfigurationError(f"there is no directory {str(arguments.directory)!r}")
    sessions = asyncio.run(_count_sessions(arguments))
    print(f"rlm-kernel: {manager_url(arguments)} has {sessions} live sessions", flush=True)
    if token := manager_token(arguments):
        os.environ["JUPYTER_GATEWAY_AUTH_TOKEN"] = token
    LabApp.launch_instance(_options(arguments))
    return 0


async def _count_sessions(arguments: argparse.Namespace) -> int:
    async with manager_client(arguments) as client:
        return len(await client.list_sessions())


def _options(arguments: argparse.Namespace) -> list[str]:
    from rlm_kernel.manager.lab.local import options

    chosen = options(manager_url(arguments), arguments.directory)
    chosen += ["--no-browser"] if arguments.no_browser else []
    chosen += ["--allow-root"] if arguments.allow_root else []
    if arguments.port is not None:
        chosen.append(f"--port={arguments.port}")
    return chosen
