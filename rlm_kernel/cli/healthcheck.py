"""`rlm-kernel healthcheck`: exit status 0 when a manager is ready, 1 when it is not."""

from __future__ import annotations

import argparse
import asyncio
import sys

from rlm_kernel.cli.address import add_url, manager_client
from rlm_kernel.errors import RLMKernelError
from rlm_kernel.manager.client import ManagerClient


def configure(parser: argparse.ArgumentParser) -> None:
    add_url(parser)
    parser.add_argument(
        "--alive", action="store_true", help="ask only whether it answers, not whether it can work"
    )
    parser.add_argument(
        "--timeout", type=float, default=10.0, metavar="SECONDS", help="default %(default)g"
    )


def run(arguments: argparse.Namespace) -> int:
    client = manager_client(arguments)
    try:
        asyncio.run(asyncio.wait_for(_ask(client, arguments.alive), arguments.timeout))
    except TimeoutError:
        print(f"not healthy: no answer within {arguments.timeout:g} s", file=sys.stderr)
    except RLMKernelError as error:
        print(f"not healthy: {error}", file=sys.stderr)
    else:
        return 0
    return 1


async def _ask(client: ManagerClient, alive: bool) -> None:
    async with client:
        await (client.health() if alive else client.ready())
