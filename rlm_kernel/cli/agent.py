"""`rlm-kernel agent`: the inference service."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
from pathlib import Path

from rlm_kernel import logs
from rlm_kernel.cli.options import add_settings, read_settings
from rlm_kernel.settings import ServiceSettings

_OUR_TOKENS = ("RLM_KERNEL_AGENT_TOKEN", "RLM_KERNEL_METRICS_TOKEN")


def configure(parser: argparse.ArgumentParser) -> None:
    add_settings(
        parser,
        ServiceSettings,
        "host",
        "port",
        "manager_url",
        "model",
        "recursive_model",
        "models",
        "model_path",
        "secrets_dir",
        "max_runs",
        "max_depth",
        "max_iterations",
        "budget_usd",
        "budget_tokens",
        "budget_seconds",
        "direct_characters",
        "agent_drain_seconds",
        "log_level",
    )
    parser.epilog = (
        "The token that clients have to show comes from $RLM_KERNEL_AGENT_TOKEN only, that of the "
        "manager from $RLM_KERNEL_TOKEN, and the keys of models from the variables that litellm "
        "knows, such as $OPENAI_API_KEY: a command line is not secret."
    )


def run(arguments: argparse.Namespace) -> int:
    from rlm_kernel.agent.service.secret_files import read_secrets
    from rlm_kernel.agent.trajectory import secrets_of_environment

    folder = arguments.secrets_dir or os.environ.get("RLM_KERNEL_SECRETS_DIR")
    if folder:
        read_secrets(Path(folder))
    settings = read_settings(ServiceSettings, arguments)
    logs.configure(settings.log_level, secrets=secrets_of_environment())
    # What the service starts inherits its environment, and has no use for them.
    for name in _OUR_TOKENS:
        os.environ.pop(name, None)
    asyncio.run(_serve(settings))
    return 0


async def _serve(settings: ServiceSettings) -> None:
    from rlm_kernel.agent.service import serve
    from rlm_kernel.http.stop import Stop

    stop = Stop()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.ask)
    await serve(settings, announce=_announce, stop=stop)


def _announce(url: str) -> None:
    print(f"rlm-kernel: listening on {url}", flush=True)
