"""Which manager a command means, and the client that speaks to it."""

from __future__ import annotations

import argparse

from rlm_kernel.cli.options import read_settings
from rlm_kernel.manager.client import ManagerClient
from rlm_kernel.settings import AgentSettings, ManagerSettings, ServiceSettings

_ANY_ADDRESS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}


def add_url(parser: argparse.ArgumentParser) -> None:
    """Declare the option that names the manager; `manager_url` reads it."""
    parser.add_argument(
        "--url", help="of the manager ($WASM_MANAGER_SERVICE_URL, else where `serve` listens)"
    )


def manager_client(arguments: argparse.Namespace) -> ManagerClient:
    """A client of the manager that is meant, with the token of the environment."""
    return ManagerClient(manager_url(arguments), token=manager_token(arguments))


def manager_token(arguments: argparse.Namespace) -> str | None:
    """The token of the environment: a command line is not secret."""
    token = read_settings(AgentSettings, arguments).token
    return token.get_secret_value() if token else None


def manager_url(arguments: argparse.Namespace) -> str:
    """Base URL of the manager that is meant."""
    if arguments.url:
        return str(arguments.url).rstrip("/")
    settings = read_settings(AgentSettings, arguments)
    if "manager_url" in settings.model_fields_set:
        return settings.must_name_one_manager()
    manager = ManagerSettings.from_environment()
    return _local_url(manager.host, manager.port)


def agent_url(arguments: argparse.Namespace) -> str:
    """Base URL of the agent that is meant: of the option, else where it listens here."""
    if arguments.url:
        return str(arguments.url).rstrip("/")
    agent = ServiceSettings.from_environment()
    return _local_url(agent.host, agent.port)


def _local_url(host: str, port: int) -> str:
    named = f"[{host}]" if ":" in host else host
    return f"http://{_ANY_ADDRESS.get(host, named)}:{port}"
