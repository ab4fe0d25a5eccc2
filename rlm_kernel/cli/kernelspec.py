"""`rlm-kernel kernelspec install|remove`: what Jupyter lists as a kernel."""

from __future__ import annotations

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, summary in (("install", "add the kernel"), ("remove", "take it away")):
        where = actions.add_parser(name, help=summary).add_mutually_exclusive_group()
        where.add_argument("--user", action="store_true", help="for this user (the default)")
        where.add_argument("--sys-prefix", action="store_true", help="in this Python environment")
        where.add_argument("--prefix", type=Path, help="in the environment at PREFIX")


def run(arguments: argparse.Namespace) -> int:
    from rlm_kernel.kernel import kernelspec

    action = kernelspec.install if arguments.action == "install" else kernelspec.remove
    folder = action(
        user=arguments.user or not (arguments.sys_prefix or arguments.prefix),
        sys_prefix=arguments.sys_prefix,
        prefix=arguments.prefix,
    )
    print(f"{'installed' if arguments.action == 'install' else 'removed'} {folder}")
    return 0
