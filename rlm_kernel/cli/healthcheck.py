"""`rlm-kernel healthcheck`: exit status 0 when a manager is ready, 1 when it is not."""

from __future__ import annotations

import argparse
import asyncio
import sys

from rlm_kernel.cli.options import read_settings
from rlm_kernel.errors import RLMKernelError
from rlm_kernel.manager.client import ManagerClient
from rlm_kernel.settings import AgentSettings, ManagerSettings

_ANY_ADDRESS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--url", help="of the manager ($WASM_MANAGER_SERVICE_URL, else where `serve` listens)"
    )
    parser.add_argument(
        "--alive", action="store_true", help="ask only whether it answers, not whether it can work"
    )
    parser.add_argument(
        "--timeout", type=float, default=10.0, metavar="SECONDS", help="default %(default)g"
    )


def run(arguments: argparse.Namespace) -> int:
    settings = read_settings(AgentSettings, arguments)
    token = settings.token.get_secret_value() if settings.token else None
    client = ManagerClient(arguments.url or _default_url(settings), token=token)
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


def _default_url(settings: AgentSettings) -> str:
    if "manager_url" in settings.model_fields_set:
        return settings.manager_url
    manager = ManagerSettings.from_environment()
    host = f"[{manager.host}]" if ":" in manager.host else manager.host
    return f"http://{_ANY_ADDRESS.get(manager.host, host)}:{manager.port}"
