"""`rlm-kernel healthcheck`: exit status 0 when a manager, or an agent, is ready, 1 when not."""

from __future__ import annotations

import argparse
import asyncio
import sys

from rlm_kernel.cli.address import add_url, agent_url, manager_client
from rlm_kernel.errors import ConfigurationError, RLMKernelError


def configure(parser: argparse.ArgumentParser) -> None:
    add_url(parser)
    parser.add_argument(
        "--agent", action="store_true", help="ask the agent, where `rlm-kernel agent` listens"
    )
    parser.add_argument(
        "--alive", action="store_true", help="ask only whether it answers, not whether it can work"
    )
    parser.add_argument(
        "--timeout", type=float, default=10.0, metavar="SECONDS", help="default %(default)g"
    )


def run(arguments: argparse.Namespace) -> int:
    asking = _ask_agent(arguments) if arguments.agent else _ask(arguments)
    try:
        asyncio.run(asyncio.wait_for(asking, arguments.timeout))
    except TimeoutError:
        print(f"not healthy: no answer within {arguments.timeout:g} s", file=sys.stderr)
    except ConfigurationError:
        raise
    except RLMKernelError as error:
        print(f"not healthy: {error}", file=sys.stderr)
    else:
        return 0
    return 1


async def _ask(arguments: argparse.Namespace) -> None:
    async with manager_client(arguments) as client:
        await (client.health() if arguments.alive else client.ready())


async def _ask_agent(arguments: argparse.Namespace) -> None:
    from rlm_kernel.http.probe import probe

    await probe(f"{agent_url(arguments)}/{'health' if arguments.alive else 'ready'}")
