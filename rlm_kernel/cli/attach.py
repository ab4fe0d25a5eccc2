"""`rlm-kernel attach SESSION`: a Jupyter console on a session that lives.

It shows what the session published before, then what anybody runs in it, and runs what is typed.
Ctrl-C interrupts the cell, `exit` and Ctrl-D leave: the session lives on.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rlm_kernel.cli.address import add_url, manager_client
from rlm_kernel.errors import ConfigurationError, ManagerUnavailable

_CONNECT_SECONDS = 5.0


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("session", metavar="SESSION", help="the id of a session")
    add_url(parser)
    parser.add_argument(
        "--no-replay",
        dest="replay",
        action="store_false",
        help="do not show what the session published before",
    )
    parser.epilog = "The manager must be on this machine; `rlm-kernel lab` has no such need."


def run(arguments: argparse.Namespace) -> int:
    try:
        from rlm_kernel.cli.attached_console import AttachedConsole
    except ImportError as error:
        raise ConfigurationError(
            f"there is no Jupyter console here ({error}): pip install 'rlm-kernel[lab]'"
        ) from error
    info = asyncio.run(_connection(arguments))
    _check_reachable(info)
    with _connection_file(info) as file:
        console = AttachedConsole(
            past=(lambda: asyncio.run(_replay(arguments))) if arguments.replay else None,
            check=lambda: asyncio.run(_check_alive(arguments)),
        )
        console.initialize(["--existing", str(file)])
        console.start()
    print(f"session {arguments.session} lives on")
    return 0


async def _connection(arguments: argparse.Namespace) -> dict[str, Any]:
    async with manager_client(arguments) as client:
        return await client.connection(arguments.session)


async def _replay(arguments: argparse.Namespace) -> dict[str, Any]:
    async with manager_client(arguments) as client:
        return await client.replay(arguments.session)


async def _check_alive(arguments: argparse.Namespace) -> None:
    async with manager_client(arguments) as client:
        await client.session(arguments.session)


def _check_reachable(info: dict[str, Any]) -> None:
    """A manager behind a forwarded port answers, but a session's own ports are elsewhere."""
    address = (info["ip"], info["shell_port"])
    try:
        socket.create_connection(address, timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        raise ManagerUnavailable(
            f"the session's port {address[0]}:{address[1]} does not answer: the manager is not on "
            "this machine; use `rlm-kernel lab`"
        ) from error


@contextlib.contextmanager
def _connection_file(info: dict[str, Any]) -> Iterator[Path]:
    """A connection file that only its owner can read, for as long as it is used."""
    from rlm_kernel.kernel.connection import ConnectionInfo

    with tempfile.TemporaryDirectory(prefix="rlm-kernel-") as folder:
        file = Path(folder) / "connection.json"
        ConnectionInfo.model_validate(info).write(file)
        yield file
