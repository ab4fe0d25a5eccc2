"""`rlm-kernel kernelspec install|remove`: what Jupyter lists as kernels."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rlm_kernel.cli.options import add_settings, read_settings
from rlm_kernel.errors import ConfigurationError
from rlm_kernel.settings import SandboxSettings


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, summary in (("install", "add the kernel"), ("remove", "take it away")):
        action = actions.add_parser(name, help=summary)
        action.add_argument(
            "--manager",
            action="store_true",
            help="the kernel that is a session of the manager at $WASM_MANAGER_SERVICE_URL",
        )
        if name == "install":
            action.add_argument(
                "--detach", action="store_true", help="let the manager's session outlive a shutdown"
            )
            add_settings(action, SandboxSettings, "preload")
        where = action.add_mutually_exclusive_group()
        where.add_argument("--user", action="store_true", help="for this user (the default)")
        where.add_argument("--sys-prefix", action="store_true", help="in this Python environment")
        where.add_argument("--prefix", type=Path, help="in the environment at PREFIX")


def run(arguments: argparse.Namespace) -> int:
    from rlm_kernel.kernel import kernelspec

    name = kernelspec.MANAGER_NAME if arguments.manager else kernelspec.NAME
    place = {
        "user": arguments.user or not (arguments.sys_prefix or arguments.prefix),
        "sys_prefix": arguments.sys_prefix,
        "prefix": arguments.prefix,
    }
    if arguments.action == "install":
        print(f"installed {kernelspec.install(name, **place, **_options(arguments))}")
    else:
        print(f"removed {kernelspec.remove(name, **place)}")
    return 0


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    """What only one of the two kernels has."""
    if arguments.detach and not arguments.manager:
        raise ConfigurationError("--detach is for the manager's kernel: it needs --manager")
    if arguments.manager and arguments.preload:
        raise ConfigurationError("--preload is not for the manager's kernel: start that with it")
    if arguments.manager:
        return {"detach": arguments.detach}
    return {"preload": read_settings(SandboxSettings, arguments).preload}
