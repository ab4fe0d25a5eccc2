"""`rlm-kernel kernelspec install|remove`: what Jupyter lists as kernels."""

from __future__ import annotations

import argparse
from pathlib import Path

from rlm_kernel.errors import ConfigurationError


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
        where = action.add_mutually_exclusive_group()
        where.add_argument("--user", action="store_true", help="for this user (the default)")
        where.add_argument("--sys-prefix", action="store_true", help="in this Python environment")
        where.add_argument("--prefix", type=Path, help="in the environment at PREFIX")


def run(arguments: argparse.Namespace) -> int:
    from rlm_kernel.kernel import kernelspec

    if arguments.action == "install" and arguments.detach and not arguments.manager:
        raise ConfigurationError("--detach is for the manager's kernel: it needs --manager")
    action = kernelspec.install if arguments.action == "install" else kernelspec.remove
    options = {"detach": True} if arguments.action == "install" and arguments.detach else {}
    folder = action(
        kernelspec.MANAGER_NAME if arguments.manager else kernelspec.NAME,
        user=arguments.user or not (arguments.sys_prefix or arguments.prefix),
        sys_prefix=arguments.sys_prefix,
        prefix=arguments.prefix,
        **options,
    )
    print(f"{'installed' if arguments.action == 'install' else 'removed'} {folder}")
    return 0
