"""`rlm-kernel model pull`: the local language model, verified."""

from __future__ import annotations

import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("pull", help="download the model, or find it already there; prints its path")


def run(arguments: argparse.Namespace) -> int:
    from rlm_kernel.agent.models.weights import ensure_model
    from rlm_kernel.progress import progress_for

    print(ensure_model(progress_for()))
    return 0
